/*
 * test_json.c: small JSON documents, their getters and their messages.
 */
#include "floe.h"

/* json.h must live beside the header that declares another json_object() */
#include "fmgr.h"
#include "utils/fmgrprotos.h"

#include "base/json.h"

#include "tap.h"

#include <stdlib.h>

static FloeJsonDoc *
parse(const char *text, FloeStatus *st)
{
	return floe_json_parse(text, strlen(text), "catalog answer", 1000, st);
}

static void
test_parse(void)
{
	static const struct
	{
		const char *text;
		FloeCode code;
		const char *message;
	} table[] = {
		{"{}", FLOE_OK, ""},
		{"[1,\"a\"]", FLOE_OK, ""},
		{"\"text\"", FLOE_OK, ""},
		{"null", FLOE_OK, ""},
		{"", FLOE_ERR_PROTOCOL, "catalog answer: invalid JSON at byte 0: it ends too early"},
		{"<html>", FLOE_ERR_PROTOCOL, "catalog answer: invalid JSON at byte 0: a value must stand here"},
		{"{\"a\":1", FLOE_ERR_PROTOCOL, "catalog answer: invalid JSON at byte 6: it ends too early"},
		{"{\"a\":1,\"b\":2,\"a\":3}", FLOE_ERR_PROTOCOL, NULL},
		{"[9223372036854775808]", FLOE_ERR_PROTOCOL, NULL},
		{"\"a\\u0000\"", FLOE_ERR_PROTOCOL, NULL},
		{"[1e999]", FLOE_ERR_PROTOCOL, NULL},
	};
	FloeStatus st;
	char deep[200];
	FloeJsonDoc *doc;

	for (size_t i = 0; i < lengthof(table); i++)
	{
		floe_status_ok(&st);
		doc = parse(table[i].text, &st);
		ok((doc != NULL) == (table[i].code == FLOE_OK) && st.code == table[i].code, "%s: %s", table[i].text,
		   floe_code_name(table[i].code));
		if (table[i].message != NULL)
			is_str(st.message, table[i].message, "message");
		floe_json_free(doc);
	}
	memset(deep, '[', 65);
	memset(deep + 65, ']', 65);
	ok(floe_json_parse(deep, 130, "x", 1000, &st) == NULL && st.code == FLOE_ERR_TOO_LARGE, "nested too deep");
	ok(floe_json_parse("[1,2,3]", 7, "x", 6, &st) == NULL && st.code == FLOE_ERR_TOO_LARGE, "too long");
	doc = floe_json_parse("[1,2,3]", 7, "x", 7, &st);
	ok(doc != NULL, "just short enough");
	floe_json_free(doc);
	floe_json_free(NULL);
}

static void
test_getters(void)
{
	FloeStatus st;
	FloeJsonDoc *doc = parse("{\"s\":\"text\",\"i\":9007199254740993,\"t\":true,\"f\":false,\"n\":null,\"o\":{\"x\":1},"
							 "\"a\":[1,2],\"r\":1.5}",
							 &st);
	FloeJson root = floe_json_root(doc);
	FloeJson inner;
	const char *text;
	int64_t number;
	bool flag;

	ok(floe_json_get_string(root, "s", &text, &st) && strcmp(text, "text") == 0, "string");
	ok(floe_json_opt_string(root, "s", &text, &st) && strcmp(text, "text") == 0, "optional string");
	ok(floe_json_opt_string(root, "missing", &text, &st) && text == NULL, "missing string");
	ok(floe_json_opt_string(root, "n", &text, &st) && text == NULL, "null string");
	ok(!floe_json_opt_string(root, "i", &text, &st) && st.code == FLOE_ERR_PROTOCOL, "not a string");
	is_str(st.message, "catalog answer: field \"i\" must be a string", "message of the wrong type");
	ok(!floe_json_get_string(root, "missing", &text, &st), "required string");
	is_str(st.message, "catalog answer: field \"missing\" is missing", "message of a missing field");
	ok(!floe_json_get_string(root, "n", &text, &st), "null is missing");

	ok(floe_json_get_int(root, "i", &number, &st) && number == INT64_C(9007199254740993), "an exact integer");
	ok(floe_json_opt_int(root, "missing", -1, &number, &st) && number == -1, "missing integer");
	ok(floe_json_opt_int(root, "i", -1, &number, &st) && number > 0, "optional integer");
	ok(!floe_json_get_int(root, "r", &number, &st), "a fraction is not an integer");
	is_str(st.message, "catalog answer: field \"r\" must be an integer", "message");
	ok(!floe_json_opt_int(root, "s", 0, &number, &st), "text is not an integer");

	ok(floe_json_get_bool(root, "t", &flag, &st) && flag, "true");
	ok(floe_json_get_bool(root, "f", &flag, &st) && !flag, "false");
	ok(floe_json_opt_bool(root, "missing", true, &flag, &st) && flag, "missing boolean");
	ok(floe_json_opt_bool(root, "f", true, &flag, &st) && !flag, "optional boolean");
	ok(!floe_json_get_bool(root, "n", &flag, &st), "required boolean");
	ok(!floe_json_opt_bool(root, "i", true, &flag, &st), "a number is not a boolean");
	is_str(st.message, "catalog answer: field \"i\" must be true or false", "message");

	ok(floe_json_get_object(root, "o", &inner, &st) && floe_json_get_int(inner, "x", &number, &st) && number == 1,
	   "field of a field");
	ok(floe_json_opt_object(root, "missing", &inner, &st) && floe_json_kind(inner) == FLOE_JSON_NONE, "no object");
	ok(!floe_json_get_int(inner, "x", &number, &st), "field of nothing");
	is_str(st.message, "catalog answer: field \"x\" is missing", "message");
	ok(!floe_json_get_object(root, "a", &inner, &st), "an array is not an object");
	ok(floe_json_get_array(root, "a", &inner, &st) && floe_json_length(inner) == 2, "array");
	ok(floe_json_int(floe_json_at(inner, 1), &number) && number == 2, "element");
	ok(floe_json_kind(floe_json_at(inner, 2)) == FLOE_JSON_NONE, "no such element");
	ok(floe_json_opt_array(root, "n", &inner, &st) && floe_json_length(inner) == 0, "no array");
	ok(!floe_json_opt_array(root, "o", &inner, &st), "an object is not an array");
	floe_json_free(doc);
}

static void
test_values(void)
{
	FloeStatus st;
	FloeJsonDoc *doc = parse("[null,true,1,-2.5,\"s\",[],{\"b\":1,\"a\":\"\\u00e9\\n\"}]", &st);
	static const FloeJsonKind kinds[] = {FLOE_JSON_NULL,   FLOE_JSON_BOOL,  FLOE_JSON_INTEGER, FLOE_JSON_REAL,
										 FLOE_JSON_STRING, FLOE_JSON_ARRAY, FLOE_JSON_OBJECT,  FLOE_JSON_NONE};
	FloeJson root = floe_json_root(doc);
	FloeBuf buf;
	FloeBuf keys;
	int64_t number;
	double real;

	for (size_t i = 0; i < lengthof(kinds); i++)
	{
		FloeJson value = floe_json_at(root, i);

		is_int(floe_json_kind(value), kinds[i], "kind of element %zu", i);
		ok((floe_json_string(value) != NULL) == (kinds[i] == FLOE_JSON_STRING), "string or not");
		ok(floe_json_int(value, &number) == (kinds[i] == FLOE_JSON_INTEGER), "integer or not");
		ok(floe_json_is_true(value) == (kinds[i] == FLOE_JSON_BOOL), "true or not");
	}
	ok(floe_json_number(floe_json_at(root, 2), &real) && real == 1.0, "integer as number");
	ok(floe_json_number(floe_json_at(root, 3), &real) && real == -2.5, "real as number");
	ok(!floe_json_number(floe_json_at(root, 4), &real), "text is no number");
	ok(floe_json_kind(floe_json_field(floe_json_at(root, 6), "b")) == FLOE_JSON_INTEGER, "field of any type");

	floe_buf_init(&keys, 100);
	for (FloeJsonIter it = floe_json_iter(floe_json_at(root, 6)); floe_json_next(&it);)
		floe_buf_printf(&keys, "%s=%d ", it.key, (int) floe_json_kind(it.value));
	is_str(keys.data, "b=3 a=5 ", "fields in the order of the text");
	for (FloeJsonIter it = floe_json_iter(floe_json_at(root, 0)); floe_json_next(&it);)
		ok(false, "null has no fields");

	floe_buf_init(&buf, 100);
	ok(floe_json_render(root, &buf), "render");
	is_str(buf.data, "[null,true,1,-2.5,\"s\",[],{\"b\":1,\"a\":\"\xC3\xA9\\n\"}]", "compact JSON");
	floe_buf_reset(&buf);
	ok(floe_json_render(floe_json_at(root, 4), &buf) && strcmp(buf.data, "\"s\"") == 0, "render a scalar");
	buf.cap = 5;
	floe_buf_reset(&buf);
	ok(!floe_json_render(root, &buf), "render beyond the cap");
	ok(!floe_json_render(floe_json_at(root, 7), &buf), "nothing cannot be rendered");
	floe_buf_free(&buf);
	floe_buf_free(&keys);
	floe_json_free(doc);
}

static void
test_quote(void)
{
	static const struct
	{
		const char *text;
		size_t len;
		const char *want;
	} table[] = {
		{"", 0, "\"\""},
		{"plain", 5, "\"plain\""},
		{"a\"b\\c/", 6, "\"a\\\"b\\\\c/\""},
		{"\n\t\x01\x1F", 4, "\"\\u000a\\u0009\\u0001\\u001f\""},
		{"\xC3\xA9\xF0\x9F\x98\x80", 6, "\"\xC3\xA9\xF0\x9F\x98\x80\""},
		{"a\xC3", 2, "\"a\xEF\xBF\xBD\""},
		{"\xC3\"\xA9", 3, "\"\xEF\xBF\xBD\\\"\xEF\xBF\xBD\""},
		{"a\0b", 3,
		 "\"a\xEF\xBF\xBD"
		 "b\""},
		{"\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
	};
	FloeBuf buf;
	FloeStatus st;

	for (size_t i = 0; i < lengthof(table); i++)
	{
		FloeJsonDoc *doc;

		floe_buf_init(&buf, 100);
		ok(floe_json_quote(&buf, table[i].text, table[i].len), "quote case %zu", i);
		is_str(buf.data, table[i].want, "quoted");
		doc = parse(buf.data, &st);
		ok(doc != NULL, "and is JSON");
		floe_json_free(doc);
		floe_buf_free(&buf);
	}
	floe_buf_init(&buf, 6);
	ok(!floe_json_quote(&buf, "12345", 5), "beyond the cap");
	floe_buf_free(&buf);
}

int
main(void)
{
	test_parse();
	test_getters();
	test_values();
	test_quote();
	return tap_done();
}
