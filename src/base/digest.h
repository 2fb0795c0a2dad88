/*
 * digest.h: SHA-256 and HMAC-SHA-256 (FIPS 180-4, RFC 2104), by PostgreSQL's own implementations.
 *
 * Behind functions of our own because in a server built with OpenSSL those of
 * PostgreSQL register with CurrentResourceOwner without looking whether there
 * is one, and a worker between two transactions has none; and because they
 * throw when memory runs out.
 */
#ifndef FLOE_BASE_DIGEST_H
#define FLOE_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLOE_SHA256_SIZE 32
#define FLOE_SHA256_HEX_SIZE 65 /* with its terminator */

/* False when memory runs out or the library refuses. */
extern bool floe_sha256(const void *data, size_t len, uint8_t digest[FLOE_SHA256_SIZE]);
extern bool floe_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
							 uint8_t digest[FLOE_SHA256_SIZE]);

/* Lower-case hex. */
extern void floe_sha256_hex(const uint8_t digest[FLOE_SHA256_SIZE], char hex[FLOE_SHA256_HEX_SIZE]);

#endif /* FLOE_BASE_DIGEST_H */
