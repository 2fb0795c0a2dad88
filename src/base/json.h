/*
 * json.h: small JSON documents: answers of catalogs and engines.
 *
 * The only door to jansson.  No type of that library appears here, because
 * its header declares json_object(), which PostgreSQL's headers and its
 * executable also have with another meaning.  Large table metadata does not
 * come this way: see jscan.h and iceberg/metadata.h.
 *
 * A document is checked by floe's own scanner before jansson sees it, so the
 * nesting is bounded and an error names the byte.  Duplicate keys, integers
 * beyond 64 bits and \u0000 are refused.
 */
#ifndef FLOE_BASE_JSON_H
#define FLOE_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"

/* Owns a parsed tree; from malloc, so the owner registers floe_json_free() for cleanup. */
typedef struct FloeJsonDoc FloeJsonDoc;

/*
 * A value inside a document, passed by value and valid as long as the
 * document.  One whose node is NULL stands for "not there"; every function
 * here accepts it.
 */
typedef struct FloeJson
{
	const FloeJsonDoc *doc;
	const void *node;
} FloeJson;

typedef enum FloeJsonKind
{
	FLOE_JSON_NONE, /* not there */
	FLOE_JSON_NULL,
	FLOE_JSON_BOOL,
	FLOE_JSON_INTEGER,
	FLOE_JSON_REAL,
	FLOE_JSON_STRING,
	FLOE_JSON_ARRAY,
	FLOE_JSON_OBJECT
} FloeJsonKind;

/*
 * what names the document in every message ("catalog answer") and must outlive
 * it.  Fails with FLOE_ERR_TOO_LARGE beyond max_bytes or a nesting of 64, with
 * FLOE_ERR_PROTOCOL when it is not JSON, with FLOE_ERR_NOMEM.
 */
extern FloeJsonDoc *floe_json_parse(const void *data, size_t len, const char *what, size_t max_bytes, FloeStatus *st);
extern void floe_json_free(FloeJsonDoc *doc); /* NULL is allowed */
extern FloeJson floe_json_root(const FloeJsonDoc *doc);

/*
 * Fields of an object.  get: the field must be there and of that type; opt: a
 * missing or null field gives the absent value (NULL, a FLOE_JSON_NONE value,
 * or what the caller names), a field of another type is still an error.
 * Errors are FLOE_ERR_PROTOCOL: 'catalog answer: field "x" is missing'.
 * Strings are terminated and belong to the document.
 */
extern bool floe_json_get_string(FloeJson object, const char *key, const char **value, FloeStatus *st);
extern bool floe_json_opt_string(FloeJson object, const char *key, const char **value, FloeStatus *st);
extern bool floe_json_get_int(FloeJson object, const char *key, int64_t *value, FloeStatus *st);
extern bool floe_json_opt_int(FloeJson object, const char *key, int64_t absent, int64_t *value, FloeStatus *st);
extern bool floe_json_get_bool(FloeJson object, const char *key, bool *value, FloeStatus *st);
extern bool floe_json_opt_bool(FloeJson object, const char *key, bool absent, bool *value, FloeStatus *st);
extern bool floe_json_get_object(FloeJson object, const char *key, FloeJson *value, FloeStatus *st);
extern bool floe_json_opt_object(FloeJson object, const char *key, FloeJson *value, FloeStatus *st);
extern bool floe_json_get_array(FloeJson object, const char *key, FloeJson *value, FloeStatus *st);
extern bool floe_json_opt_array(FloeJson object, const char *key, FloeJson *value, FloeStatus *st);

/* A field of any type; FLOE_JSON_NONE when it is not there or object is no object. */
extern FloeJson floe_json_field(FloeJson object, const char *key);

/* Single values, for elements of arrays and for fields of several possible types. */
extern FloeJsonKind floe_json_kind(FloeJson value);
extern const char *floe_json_string(FloeJson value);          /* NULL unless it is a string */
extern bool floe_json_int(FloeJson value, int64_t *number);   /* false unless it is an integer */
extern bool floe_json_number(FloeJson value, double *number); /* an integer or a real */
extern bool floe_json_is_true(FloeJson value);                /* the literal true */

/* Elements of an array; no array has none. */
extern size_t floe_json_length(FloeJson array);
extern FloeJson floe_json_at(FloeJson array, size_t index);

/*
 * Fields of an object in the order of the text:
 *     for (FloeJsonIter it = floe_json_iter(object); floe_json_next(&it);)
 *         … it.key, it.value …
 */
typedef struct FloeJsonIter
{
	FloeJson object;
	void *at;
	const char *key;
	FloeJson value;
} FloeJsonIter;

extern FloeJsonIter floe_json_iter(FloeJson object);
extern bool floe_json_next(FloeJsonIter *it);

/* Appends the value as compact JSON; false when the buffer refuses. */
extern bool floe_json_render(FloeJson value, FloeBuf *buf);

/*
 * Appends text as a JSON string, quotes included.  What is not valid UTF-8,
 * and NUL, becomes U+FFFD, so that the result can always be stored as jsonb.
 */
extern bool floe_json_quote(FloeBuf *buf, const char *text, size_t len);

#endif /* FLOE_BASE_JSON_H */
