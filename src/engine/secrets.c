/*
 * secrets.c: collecting the secrets of an engine target.
 */
#include "floe.h"

#include "engine/secrets.h"

#include <string.h>
#include <strings.h>

#define MARKED_MIN 4

/* Compared without case anywhere in the key. */
static const char *const secret_words[] = {
	"secret",      "password",   "passwd",     "token",      "credential",  "authorization",
	"access-key",  "access.key", "access_key", "accesskey",  "account-key", "account.key",
	"api-key",     "api.key",    "api_key",    "apikey",     "private-key", "private.key",
	"private_key", "sas-token",  "jaas",       "shared-key", "passphrase",
};

/* A setting about a secret, not one: masking its value would blot out half of any text. */
static const char *const plain_values[] = {"", "true", "false"};

bool
floe_secret_is_key(const char *key)
{
	for (size_t i = 0; i < lengthof(secret_words); i++)
	{
		size_t len = strlen(secret_words[i]);

		for (const char *at = key; *at != '\0'; at++)
		{
			if (strncasecmp(at, secret_words[i], len) == 0)
				return true;
		}
	}
	return false;
}

bool
floe_secrets_add(FloeSecrets *secrets, const char *text, size_t len, FloeStatus *st)
{
	if (len == 0)
		return true;
	if (secrets->count == FLOE_SECRETS_MAX)
		return floe_fail(st, FLOE_ERR_CONFIG, "more than %d secrets in the settings of the session", FLOE_SECRETS_MAX);
	secrets->item[secrets->count++] = (FloeMaskItem){text, len};
	return true;
}

static bool
add_setting(FloeSecrets *secrets, const FloeKeyValue *setting, FloeStatus *st)
{
	const char *colon;

	if (setting->value == NULL)
		return true;
	/* of those that only their origin makes a secret, the short ones would blot out innocent text */
	if (!floe_secret_is_key(setting->key) && !(setting->is_secret && strlen(setting->value) >= MARKED_MIN))
		return true;
	for (size_t i = 0; i < lengthof(plain_values); i++)
	{
		if (strcmp(setting->value, plain_values[i]) == 0)
			return true;
	}
	/* OAuth2 client credentials, as Iceberg writes them: a server may name the secret alone */
	colon = strchr(setting->value, ':');
	if (colon != NULL && !floe_secrets_add(secrets, colon + 1, strlen(colon + 1), st))
		return false;
	return floe_secrets_add(secrets, setting->value, strlen(setting->value), st);
}

bool
floe_secrets_collect(FloeSecrets *secrets, const FloeEngineTarget *target, FloeStatus *st)
{
	memset(secrets, 0, sizeof(*secrets));
	if (target->password != NULL && !floe_secrets_add(secrets, target->password, strlen(target->password), st))
		return false;
	if (target->token != NULL && !floe_secrets_add(secrets, target->token, strlen(target->token), st))
		return false;
	for (int i = 0; i < target->nsession_conf; i++)
	{
		if (!add_setting(secrets, &target->session_conf[i], st))
			return false;
	}
	return true;
}

bool
floe_secrets_found(const FloeSecrets *secrets, const char *text, size_t len)
{
	return floe_mask_found(secrets->item, secrets->count, text, len);
}

bool
floe_secrets_append(const FloeSecrets *secrets, FloeBuf *buf, const char *text, size_t len)
{
	return floe_mask_append(secrets->item, secrets->count, buf, text, len, false);
}

void
floe_secrets_mask(const FloeSecrets *secrets, char *text, size_t size)
{
	floe_mask_text(secrets->item, secrets->count, text, size);
}
