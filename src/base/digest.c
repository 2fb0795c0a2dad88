/*
 * digest.c: PostgreSQL's cryptohash and HMAC, usable outside transactions and without exceptions.
 *
 * The unit tests link the frontend versions, which need neither precaution.
 */
#include "floe.h"

#include "base/digest.h"

#include "common/cryptohash.h"
#include "common/hmac.h"
#ifndef FLOE_UNIT_TEST
#include "utils/memutils.h"
#include "utils/resowner.h"
#endif

typedef struct Input
{
	const void *key; /* NULL: a plain hash */
	size_t key_len;
	const void *data;
	size_t len;
} Input;

static bool
hash(const Input *input, uint8_t *digest)
{
	pg_cryptohash_ctx *ctx = pg_cryptohash_create(PG_SHA256);
	bool ok;

	if (ctx == NULL)
		return false;
	ok = pg_cryptohash_init(ctx) >= 0 && pg_cryptohash_update(ctx, input->data, input->len) >= 0 &&
		 pg_cryptohash_final(ctx, digest, FLOE_SHA256_SIZE) >= 0;
	pg_cryptohash_free(ctx);
	return ok;
}

static bool
hmac(const Input *input, uint8_t *digest)
{
	pg_hmac_ctx *ctx = pg_hmac_create(PG_SHA256);
	bool ok;

	if (ctx == NULL)
		return false;
	ok = pg_hmac_init(ctx, input->key, input->key_len) >= 0 && pg_hmac_update(ctx, input->data, input->len) >= 0 &&
		 pg_hmac_final(ctx, digest, FLOE_SHA256_SIZE) >= 0;
	pg_hmac_free(ctx);
	return ok;
}

static bool
compute(const Input *input, uint8_t *digest)
{
	return input->key != NULL ? hmac(input, digest) : hash(input, digest);
}

#ifdef FLOE_UNIT_TEST

#define compute_safely compute

#else

static bool
compute_safely(const Input *input, uint8_t *digest)
{
	static ResourceOwner between_transactions = NULL;
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext context = CurrentMemoryContext;
	volatile bool ok = false;

	PG_TRY();
	{
		if (owner == NULL)
		{
			if (between_transactions == NULL)
				between_transactions = ResourceOwnerCreate(NULL, "floe digest");
			CurrentResourceOwner = between_transactions;
		}
		ok = compute(input, digest);
	}
	PG_CATCH();
	{
		/* the only thing that can throw here is an allocation */
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	CurrentResourceOwner = owner;
	return ok;
}

#endif

bool
floe_sha256(const void *data, size_t len, uint8_t digest[FLOE_SHA256_SIZE])
{
	Input input = {.data = data, .len = len};

	return compute_safely(&input, digest);
}

bool
floe_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len, uint8_t digest[FLOE_SHA256_SIZE])
{
	Input input = {.key = key, .key_len = key_len, .data = data, .len = len};

	return compute_safely(&input, digest);
}

void
floe_sha256_hex(const uint8_t digest[FLOE_SHA256_SIZE], char hex[FLOE_SHA256_HEX_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < FLOE_SHA256_SIZE; i++)
	{
		hex[2 * i] = digits[digest[i] >> 4];
		hex[2 * i + 1] = digits[digest[i] & 15];
	}
	hex[2 * FLOE_SHA256_SIZE] = '\0';
}
