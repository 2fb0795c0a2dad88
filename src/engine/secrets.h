/*
 * secrets.h: what must not leave an engine adapter in an error or a result.
 *
 * An engine may echo anything it was given: a URL with credentials in an
 * exception, a setting read back by SET.  An adapter therefore collects the
 * secrets of its target once and passes every text of the server through
 * here before it is stored: each occurrence becomes "***".
 */
#ifndef FLOE_ENGINE_SECRETS_H
#define FLOE_ENGINE_SECRETS_H

#include "base/mask.h"
#include "engine/ops.h"

#define FLOE_SECRETS_MAX 64

typedef struct FloeSecrets
{
	int count;
	FloeMaskItem item[FLOE_SECRETS_MAX];
} FloeSecrets;

/* Does a setting of that name hold a secret?  Also used for what a session's configuration may show. */
extern bool floe_secret_is_key(const char *key);

/*
 * Password, token, and the values of settings that are marked or whose key
 * says so; of a credential "id:secret" also the secret alone.  False (FLOE_ERR_CONFIG) when
 * there are more than FLOE_SECRETS_MAX.  The texts stay the target's.
 */
extern bool floe_secrets_collect(FloeSecrets *secrets, const FloeEngineTarget *target, FloeStatus *st);

/* One more, for encodings of a secret that the adapter itself sends; the text must live as long as the set. */
extern bool floe_secrets_add(FloeSecrets *secrets, const char *text, size_t len, FloeStatus *st);

extern bool floe_secrets_found(const FloeSecrets *secrets, const char *text, size_t len);

/* Appends the text with its secrets replaced; false when the buffer refuses. */
extern bool floe_secrets_append(const FloeSecrets *secrets, FloeBuf *buf, const char *text, size_t len);

/*
 * The same in place of a terminated text in a buffer of that size; what does
 * not fit is cut.  A text that fills its buffer was cut before, perhaps in the
 * middle of a secret: such an end is dropped.
 */
extern void floe_secrets_mask(const FloeSecrets *secrets, char *text, size_t size);

#endif /* FLOE_ENGINE_SECRETS_H */
