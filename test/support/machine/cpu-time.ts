/** What work costs, for limits that a machine which is busy with other things does not break. */

/** Milliseconds of the processor that this process has taken since `process.cpuUsage()` gave `began`. */
export function cpuMsSince(began: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1_000;
}
