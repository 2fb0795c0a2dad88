/*
 * secrets.c: collecting the secrets of an engine target and masking them in text.
 */
#include "floe.h"

#include "engine/secrets.h"

#include <string.h>
#include <strings.h>

#define MASK "***"
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
	int at;

	if (len == 0)
		return true;
	if (secrets->count == FLOE_SECRETS_MAX)
		return floe_fail(st, FLOE_ERR_CONFIG, "more than %d secrets in the settings of the session", FLOE_SECRETS_MAX);
	for (at = secrets->count; at > 0 && secrets->item[at - 1].len < len; at--)
		secrets->item[at] = secrets->item[at - 1];
	secrets->item[at].text = text;
	secrets->item[at].len = len;
	secrets->begins[(unsigned char) text[0]] = true;
	secrets->count++;
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

/* Length of the longest secret that stands at text, or 0. */
static size_t
secret_at(const FloeSecrets *secrets, const char *text, size_t left)
{
	if (!secrets->begins[(unsigned char) *text])
		return 0;
	for (int i = 0; i < secrets->count; i++)
	{
		size_t len = secrets->item[i].len;

		if (len <= left && memcmp(text, secrets->item[i].text, len) == 0)
			return len;
	}
	return 0;
}

bool
floe_secrets_found(const FloeSecrets *secrets, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
	{
		if (secret_at(secrets, text + i, len - i) > 0)
			return true;
	}
	return false;
}

bool
floe_secrets_append(const FloeSecrets *secrets, FloeBuf *buf, const char *text, size_t len)
{
	size_t shown = 0; /* up to here the text is in the buffer */

	for (size_t i = 0; i < len;)
	{
		size_t secret = secret_at(secrets, text + i, len - i);

		if (secret == 0)
		{
			i++;
			continue;
		}
		if (!floe_buf_append(buf, text + shown, i - shown) || !floe_buf_text(buf, MASK))
			return false;
		i += secret;
		shown = i;
	}
	return floe_buf_append(buf, text + shown, len - shown);
}

/* Where the beginning of a secret stands at the end of the text, or its end. */
static size_t
cut_secret(const FloeSecrets *secrets, const char *text, size_t len)
{
	size_t longest = 0;

	for (int i = 0; i < secrets->count; i++)
	{
		for (size_t part = Min(secrets->item[i].len - 1, len); part > longest; part--)
		{
			if (memcmp(text + len - part, secrets->item[i].text, part) == 0)
				longest = part;
		}
	}
	return len - longest;
}

void
floe_secrets_mask(const FloeSecrets *secrets, char *text, size_t size)
{
	size_t len = strlen(text);
	/* a character of up to four bytes may have been left out together with what did not fit */
	bool is_full = len + 4 >= size;
	FloeBuf masked;

	if (is_full)
	{
		len = cut_secret(secrets, text, len);
		text[len] = '\0';
	}
	if (!floe_secrets_found(secrets, text, len))
		return;
	floe_buf_init(&masked, len * sizeof(MASK));
	if (floe_secrets_append(secrets, &masked, text, len))
		floe_copy_text(text, size, masked.data, masked.len);
	else
		text[0] = '\0';
	floe_buf_free(&masked);
}
