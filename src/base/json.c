/*
 * json.c: typed access to small JSON documents, over jansson.
 *
 * The only file that includes <jansson.h>.  It never calls json_object(): the
 * server exports a function of that name, and the call would end there.
 */
#include "floe.h"

#include "base/json.h"
#include "base/jscan.h"
#include "base/utf8.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct FloeJsonDoc
{
	json_t *root;
	const char *what;
};

FloeJsonDoc *
floe_json_parse(const void *data, size_t len, const char *what, size_t max_bytes, FloeStatus *st)
{
	FloeJscanLimits limits = floe_jscan_default_limits;
	json_error_t error;
	FloeJsonDoc *doc;

	limits.bytes = max_bytes;
	limits.syntax_error = FLOE_ERR_PROTOCOL;
	if (!floe_jscan_check(data, len, &limits, st))
	{
		floe_status_prefix(st, "%s", what);
		return NULL;
	}
	doc = calloc(1, sizeof(FloeJsonDoc));
	if (doc == NULL)
	{
		floe_fail(st, FLOE_ERR_NOMEM, "%s: out of memory", what);
		return NULL;
	}
	doc->what = what;
	doc->root = json_loadb(data, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (doc->root == NULL)
	{
		if (json_error_code(&error) == json_error_out_of_memory)
			floe_fail(st, FLOE_ERR_NOMEM, "%s: out of memory", what);
		else
			floe_fail(st, FLOE_ERR_PROTOCOL, "%s: invalid JSON near byte %d: %s", what, error.position, error.text);
		free(doc);
		return NULL;
	}
	return doc;
}

void
floe_json_free(FloeJsonDoc *doc)
{
	if (doc == NULL)
		return;
	json_decref(doc->root);
	free(doc);
}

FloeJson
floe_json_root(const FloeJsonDoc *doc)
{
	return (FloeJson){doc, doc->root};
}

static const json_t *
node_of(FloeJson value)
{
	return value.node;
}

FloeJsonKind
floe_json_kind(FloeJson value)
{
	if (value.node == NULL)
		return FLOE_JSON_NONE;
	switch (json_typeof(node_of(value)))
	{
		case JSON_OBJECT:
			return FLOE_JSON_OBJECT;
		case JSON_ARRAY:
			return FLOE_JSON_ARRAY;
		case JSON_STRING:
			return FLOE_JSON_STRING;
		case JSON_INTEGER:
			return FLOE_JSON_INTEGER;
		case JSON_REAL:
			return FLOE_JSON_REAL;
		case JSON_TRUE:
		case JSON_FALSE:
			return FLOE_JSON_BOOL;
		case JSON_NULL:
			break;
	}
	return FLOE_JSON_NULL;
}

FloeJson
floe_json_field(FloeJson object, const char *key)
{
	return (FloeJson){object.doc, json_object_get(node_of(object), key)};
}

/* The one place that finds a field, checks its type and words the message. */
static bool
field(FloeJson object, const char *key, FloeJsonKind kind, bool required, FloeJson *value, FloeStatus *st)
{
	static const char *const kind_names[] = {
		[FLOE_JSON_BOOL] = "true or false", [FLOE_JSON_INTEGER] = "an integer", [FLOE_JSON_STRING] = "a string",
		[FLOE_JSON_ARRAY] = "an array",     [FLOE_JSON_OBJECT] = "an object",
	};
	const char *what = object.doc != NULL ? object.doc->what : "JSON";
	FloeJsonKind found;

	*value = floe_json_field(object, key);
	found = floe_json_kind(*value);
	if (found == kind)
		return true;
	if (found != FLOE_JSON_NONE && found != FLOE_JSON_NULL)
		return floe_fail(st, FLOE_ERR_PROTOCOL, "%s: field \"%s\" must be %s", what, key, kind_names[kind]);
	value->node = NULL;
	if (required)
		return floe_fail(st, FLOE_ERR_PROTOCOL, "%s: field \"%s\" is missing", what, key);
	return true;
}

static bool
string_field(FloeJson object, const char *key, bool required, const char **value, FloeStatus *st)
{
	FloeJson found;

	*value = NULL;
	if (!field(object, key, FLOE_JSON_STRING, required, &found, st))
		return false;
	*value = floe_json_string(found);
	return true;
}

bool
floe_json_get_string(FloeJson object, const char *key, const char **value, FloeStatus *st)
{
	return string_field(object, key, true, value, st);
}

bool
floe_json_opt_string(FloeJson object, const char *key, const char **value, FloeStatus *st)
{
	return string_field(object, key, false, value, st);
}

bool
floe_json_get_int(FloeJson object, const char *key, int64_t *value, FloeStatus *st)
{
	FloeJson found;

	*value = 0;
	return field(object, key, FLOE_JSON_INTEGER, true, &found, st) && floe_json_int(found, value);
}

bool
floe_json_opt_int(FloeJson object, const char *key, int64_t absent, int64_t *value, FloeStatus *st)
{
	FloeJson found;

	*value = absent;
	if (!field(object, key, FLOE_JSON_INTEGER, false, &found, st))
		return false;
	(void) floe_json_int(found, value);
	return true;
}

bool
floe_json_get_bool(FloeJson object, const char *key, bool *value, FloeStatus *st)
{
	FloeJson found;
	bool ok = field(object, key, FLOE_JSON_BOOL, true, &found, st);

	*value = ok && floe_json_is_true(found);
	return ok;
}

bool
floe_json_opt_bool(FloeJson object, const char *key, bool absent, bool *value, FloeStatus *st)
{
	FloeJson found;

	*value = absent;
	if (!field(object, key, FLOE_JSON_BOOL, false, &found, st))
		return false;
	if (found.node != NULL)
		*value = floe_json_is_true(found);
	return true;
}

bool
floe_json_get_object(FloeJson object, const char *key, FloeJson *value, FloeStatus *st)
{
	return field(object, key, FLOE_JSON_OBJECT, true, value, st);
}

bool
floe_json_opt_object(FloeJson object, const char *key, FloeJson *value, FloeStatus *st)
{
	return field(object, key, FLOE_JSON_OBJECT, false, value, st);
}

bool
floe_json_get_array(FloeJson object, const char *key, FloeJson *value, FloeStatus *st)
{
	return field(object, key, FLOE_JSON_ARRAY, true, value, st);
}

bool
floe_json_opt_array(FloeJson object, const char *key, FloeJson *value, FloeStatus *st)
{
	return field(object, key, FLOE_JSON_ARRAY, false, value, st);
}

const char *
floe_json_string(FloeJson value)
{
	return json_string_value(node_of(value));
}

bool
floe_json_int(FloeJson value, int64_t *number)
{
	if (!json_is_integer(node_of(value)))
		return false;
	*number = json_integer_value(node_of(value));
	return true;
}

bool
floe_json_number(FloeJson value, double *number)
{
	if (!json_is_number(node_of(value)))
		return false;
	*number = json_number_value(node_of(value));
	return true;
}

bool
floe_json_is_true(FloeJson value)
{
	return json_is_true(node_of(value));
}

size_t
floe_json_length(FloeJson array)
{
	return json_array_size(node_of(array));
}

FloeJson
floe_json_at(FloeJson array, size_t index)
{
	return (FloeJson){array.doc, json_array_get(node_of(array), index)};
}

FloeJsonIter
floe_json_iter(FloeJson object)
{
	return (FloeJsonIter){.object = object};
}

bool
floe_json_next(FloeJsonIter *it)
{
	/* jansson's iterators want an object that may be changed; it is not */
	json_t *object = (json_t *) node_of(it->object);

	it->at = it->at == NULL ? json_object_iter(object) : json_object_iter_next(object, it->at);
	if (it->at == NULL)
		return false;
	it->key = json_object_iter_key(it->at);
	it->value = (FloeJson){it->object.doc, json_object_iter_value(it->at)};
	return true;
}

static int
append_piece(const char *piece, size_t len, void *buf)
{
	return floe_buf_append(buf, piece, len) ? 0 : -1;
}

bool
floe_json_render(FloeJson value, FloeBuf *buf)
{
	return value.node != NULL &&
		   json_dump_callback(node_of(value), append_piece, buf, JSON_COMPACT | JSON_ENCODE_ANY) == 0;
}

/* jansson could quote as well, but it refuses text that is not valid UTF-8. */
bool
floe_json_quote(FloeBuf *buf, const char *text, size_t len)
{
	size_t start = 0;

	if (!floe_buf_char(buf, '"'))
		return false;
	for (size_t i = 0; i <= len; i++)
	{
		unsigned char c = i < len ? (unsigned char) text[i] : 0;
		bool ok;

		/* NUL and everything above ASCII stay in the run, whose repair replaces what is invalid */
		if (i < len && c != '"' && c != '\\' && (c >= 0x20 || c == 0))
			continue;
		if (!floe_utf8_append(buf, text + start, i - start))
			return false;
		start = i + 1;
		if (i == len)
			break;
		if (c == '"' || c == '\\')
			ok = floe_buf_char(buf, '\\') && floe_buf_char(buf, (char) c);
		else
			ok = floe_buf_printf(buf, "\\u%04x", c);
		if (!ok)
			return false;
	}
	return floe_buf_char(buf, '"');
}
