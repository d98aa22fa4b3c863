#!/usr/bin/env python3
"""A sensor that speaks plain MQTT, as an ESP32 would: python3 sensor.py HOST [PORT]. Needs nothing but Python."""
import json, random, socket, struct, sys, time

host, port = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1883
text = lambda s: struct.pack(">H", len(s)) + s.encode()
packet = lambda head, body: bytes([head]) + (bytes([len(body)]) if len(body) < 128 else bytes([len(body) % 128 | 128, len(body) // 128])) + body
hub = socket.create_connection((host, port))
hub.sendall(packet(0x10, text("MQTT") + b"\x04\x02\x00\x3c" + text("sensor-1")))  # CONNECT: 3.1.1, clean, 60 s
assert hub.recv(4)[3] == 0, "the hub does not let us in"
for number in range(1, 6):
    reading = json.dumps({"celsius": round(random.uniform(18, 31), 1), "at": int(time.time())})
    hub.sendall(packet(0x32, text("devices/sensor-1/room") + struct.pack(">H", number) + reading.encode()))  # QoS 1
    assert hub.recv(4)[0] == 0x40, "no PUBACK"  # from here on it is on the hub's disk
    print("kept", reading, flush=True)
    time.sleep(1)
