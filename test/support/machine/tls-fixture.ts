/**
 * A key and a self-signed certificate for `localhost`, for tests of TLS listeners. Clients of these tests do
 * not verify it: it proves nothing about anyone.
 */
export const TLS_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg7gYNXagt66mQR5By
j/AVlLnLUr2jBZF2uONNSeEj+pWhRANCAAQcKZ4d0GQdGMfwjZ4QFwVxOluzwJqe
xi2NnLIoORo/Kbpi0o8JcFZ7oUTpci5htPdHtbAOAhfwJyosFofLibob
-----END PRIVATE KEY-----
`;

export const TLS_CERT = `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUNPRrT4tMA0bpmwwxKS53UsbZuLgwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjEwMjg0NVoYDzIxMjYxMDI5
MTAyODQ1WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQcKZ4d0GQdGMfwjZ4QFwVxOluzwJqexi2NnLIoORo/Kbpi0o8JcFZ7
oUTpci5htPdHtbAOAhfwJyosFofLibobo28wbTAdBgNVHQ4EFgQUrwR4NxHjDrYx
aMfiefZpiheDq5cwHwYDVR0jBBgwFoAUrwR4NxHjDrYxaMfiefZpiheDq5cwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIhANKLYnvufB9U7edRZWJIXPO3HB/vIDrcJNYAyXArLqMUAiBz
fzomdsZ0Bw0K8f9qAUlt1bJtf914ZuNZi4EvLClfRQ==
-----END CERTIFICATE-----
`;
