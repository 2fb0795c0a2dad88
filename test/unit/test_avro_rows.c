/*
 * test_avro_rows.c: Avro schemas compiled into programs, and rows read by them.
 */
#include "floe.h"

#include "base/buf.h"
#include "iceberg/avro_schema.h"

#include <stdlib.h>

#include "tap.h"

/* What the cases below look for; the names are those of the slots in the expected text. */
static const FloeAvroField wanted[] = {
	{.parent = FLOE_AVRO_ROOT, .id = 1, .name = "a", .want = FLOE_AVRO_WANT_INT},
	{.parent = FLOE_AVRO_ROOT, .id = 2, .name = "b", .want = FLOE_AVRO_WANT_BYTES},
	{.parent = FLOE_AVRO_ROOT, .id = 3, .name = "n", .want = FLOE_AVRO_WANT_COUNT},
	{.parent = FLOE_AVRO_ROOT, .id = 4, .name = "s", .want = FLOE_AVRO_WANT_STRUCT},
	{.parent = 4, .id = 1, .name = "s.a", .want = FLOE_AVRO_WANT_INT},
	{.parent = 4, .id = 5, .name = "s.t", .want = FLOE_AVRO_WANT_TUPLE},
	{.parent = FLOE_AVRO_ROOT,
	 .id = 6,
	 .name = "e",
	 .want = FLOE_AVRO_WANT_ENTRY,
	 .key_id = 7,
	 .value_id = 8,
	 .key = 2147483546},
};

#define R(fields) "{\"type\": \"record\", \"name\": \"r\", \"fields\": [" fields "]}"
#define F(id, type) "{\"name\": \"f" #id "\", \"field-id\": " #id ", \"type\": " type "}"
#define X(name, type) "{\"name\": \"" #name "\", \"type\": " type "}"
#define REC(name, fields) "{\"type\": \"record\", \"name\": \"" #name "\", \"fields\": [" fields "]}"
#define ARRAY(items) "{\"type\": \"array\", \"items\": " items "}"
#define MAP(values) "{\"type\": \"map\", \"values\": " values "}"
#define INT "\"int\""
#define LONG "\"long\""
#define STR "\"string\""
#define BYTES "\"bytes\""
#define OPT(type) "[\"null\", " type "]"
#define ENTRIES ARRAY(REC(kv, F(7, INT) "," F(8, BYTES)))

typedef struct RowCase
{
	const char *name;
	const char *schema;
	const char *row;
	size_t len;
	const char *expected;
} RowCase;

#define ROW(bytes) bytes, sizeof(bytes) - 1

/* zigzag: 02 is 1, 04 is 2, 06 is 3, 01 is -1 */
static const RowCase rows[] = {
	{"int where long is wanted", R(F(1, INT)), ROW("\x06"), "a=3"},
	{"long", R(F(1, LONG)), ROW("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "a=-9223372036854775808"},
	{"string", R(F(2, STR)), ROW("\x06xyz"), "b=xyz"},
	{"bytes", R(F(2, BYTES)), ROW("\x00"), "b="},
	{"order does not matter", R(F(2, STR) "," F(1, INT)), ROW("\x02x\x06"), "a=3 b=x"},
	{"null first", R(F(1, OPT(INT))), ROW("\x00"), ""},
	{"null first, value", R(F(1, OPT(INT))), ROW("\x02\x06"), "a=3"},
	{"null last", R(F(1, "[" INT ", \"null\"]")), ROW("\x02"), ""},
	{"null last, value", R(F(1, "[" INT ", \"null\"]")), ROW("\x00\x06"), "a=3"},
	{"null alone", R(F(1, "\"null\"") "," F(2, STR)), ROW("\x02x"), "b=x"},
	{"a field without id is skipped", R(X(f1, INT) "," F(1, INT)), ROW("\x02\x06"), "a=3"},
	{"numbers are skipped together", R(X(p, INT) "," X(q, LONG) "," X(r, INT) "," F(1, INT)),
	 ROW("\x02\xff\xff\x01\x02\x06"), "a=3"},
	{"a skipped number behind one that is null", R(X(p, OPT(INT)) "," X(q, INT) "," F(1, INT)), ROW("\x00\x02\x06"),
	 "a=3"},
	{"everything else is skipped",
	 R(X(p, "\"boolean\"") "," X(q, "\"float\"") "," X(r, "\"double\"") "," X(s, BYTES) "," X(t, STR) "," X(
		 u, "{\"type\": \"fixed\", \"name\": \"x3\", \"size\": 3}") "," X(v,
																		  "{\"type\": \"enum\", \"name\": \"e\", "
																		  "\"symbols\": [\"A\", \"B\"]}") "," F(1,
																												INT)),
	 ROW("\x01"
		 "ffff"
		 "dddddddd"
		 "\x02x\x04xy"
		 "123"
		 "\x02\x06"),
	 "a=3"},
	{"a wrapped type", R(F(1, "{\"type\": {\"type\": \"int\"}, \"logicalType\": \"date\"}")), ROW("\x06"), "a=3"},
	{"a union of several is skipped: first", R(X(u, "[\"int\", \"string\", \"boolean\"]") "," F(1, INT)),
	 ROW("\x00\x02\x06"), "a=3"},
	{"a union of several is skipped: second", R(X(u, "[\"int\", \"string\", \"boolean\"]") "," F(1, INT)),
	 ROW("\x02\x02x\x06"), "a=3"},
	{"a union of several is skipped: last", R(X(u, "[\"int\", \"string\", \"boolean\"]") "," F(1, INT)),
	 ROW("\x04\x01\x06"), "a=3"},
	{"a union of one", R(X(u, "[\"int\"]") "," F(1, INT)), ROW("\x00\x02\x06"), "a=3"},
	{"array of numbers", R(F(3, ARRAY(INT)) "," F(1, INT)), ROW("\x06\x02\x04\x06\x00\x06"), "a=3 n=3"},
	{"empty array", R(F(3, ARRAY(INT)) "," F(1, INT)), ROW("\x00\x06"), "a=3 n=0"},
	{"array in two blocks", R(F(3, ARRAY(INT)) "," F(1, INT)), ROW("\x02\x02\x04\x04\x06\x00\x06"), "a=3 n=3"},
	{"array block with its size", R(F(3, ARRAY(INT)) "," F(1, INT)), ROW("\x03\x04\x02\x04\x00\x06"), "a=3 n=2"},
	{"array of strings", R(F(3, ARRAY(STR)) "," F(1, INT)), ROW("\x04\x02x\x04yz\x00\x06"), "a=3 n=2"},
	{"array of pairs", R(F(3, ARRAY(REC(kv, X(k, INT) "," X(v, LONG)))) "," F(1, INT)),
	 ROW("\x04\x02\x04\x06\x08\x00\x06"), "a=3 n=2"},
	{"array of a number and bytes", R(F(3, ARRAY(REC(kv, X(k, INT) "," X(v, BYTES)))) "," F(1, INT)),
	 ROW("\x04\x02\x02x\x06\x00\x00\x06"), "a=3 n=2"},
	{"array of optional", R(F(3, ARRAY(OPT(INT))) "," F(1, INT)), ROW("\x06\x00\x02\x08\x00\x00\x06"), "a=3 n=3"},
	{"array of arrays", R(F(3, ARRAY(ARRAY(OPT(STR)))) "," F(1, INT)),
	 ROW("\x04\x04\x00\x02\x02x\x00\x00\x02\x00\x00\x06"), "a=3 n=3"},
	{"array of nothing", R(F(3, ARRAY("\"null\"")) "," F(1, INT)), ROW("\x80\x10\x00\x06"), "a=3 n=1024"},
	{"map", R(F(3, MAP(LONG)) "," F(1, INT)), ROW("\x04\x02x\x02\x04xy\x04\x00\x06"), "a=3 n=2"},
	{"optional array, null", R(F(3, OPT(ARRAY(INT))) "," F(1, INT)), ROW("\x00\x06"), "a=3"},
	{"optional array", R(F(3, OPT(ARRAY(INT))) "," F(1, INT)), ROW("\x02\x02\x02\x00\x06"), "a=3 n=1"},
	{"struct", R(F(4, REC(in, F(1, INT) "," X(x, STR))) "," F(1, INT)), ROW("\x04\x02x\x06"), "a=3 s.a=2"},
	{"struct, null", R(F(4, OPT(REC(in, F(1, INT)))) "," F(1, INT)), ROW("\x00\x06"), "a=3"},
	{"a struct that is not wanted does not lend its ids", R(F(9, REC(in, F(1, INT))) "," F(2, STR)), ROW("\x04\x02x"),
	 "b=x"},
	{"tuple", R(F(4, REC(in, F(5, REC(tup, F(1000, OPT(STR)) "," F(1, "\"double\"") "," F(7, "\"null\"")))))),
	 ROW("\x02\x02x\x00\x00\x00\x00\x00\x00\xf8\x3f"), "s.t=11 1000=x 1=8"},
	{"empty tuple", R(F(4, REC(in, F(5, REC(tup, "")))) "," F(1, INT)), ROW("\x06"), "a=3 s.t=0"},
	{"entry of a map", R(F(6, ENTRIES)), ROW("\x06\x02\x02x\xb4\xfe\xff\xff\x0f\x04yz\x04\x02w\x00"), "e=yz"},
	{"no such entry", R(F(6, ENTRIES)), ROW("\x04\x02\x02x\x04\x02w\x00"), ""},
	{"entry whose value is null", R(F(6, ARRAY(REC(kv, F(7, INT) "," F(8, OPT(BYTES)))))),
	 ROW("\x04\x02\x02\x02x\xb4\xfe\xff\xff\x0f\x00\x00"), ""},
	{"entry in the second block", R(F(6, OPT(ENTRIES)) "," F(1, INT)),
	 ROW("\x02\x02\x02\x02x\x02\xb4\xfe\xff\xff\x0f\x02y\x00\x06"), "a=3 e=y"},
	{"a named type used again", R(X(p, REC(in, X(q, STR) "," X(r, INT))) "," X(s, "\"in\"") "," F(1, "\"int\"")),
	 ROW("\x02x\x02\x02y\x04\x06"), "a=3"},
	{"names in a namespace",
	 "{\"type\": \"record\", \"name\": \"r\", \"namespace\": \"n.s\", \"fields\": [" X(
		 p, "{\"type\": \"fixed\", \"name\": \"x\", \"size\": 1}") "," X(q, "\"x\"") "," X(s,
																						   "\"n.s.x\"") "," F(1,
																											  INT) "]}",
	 ROW("123\x06"), "a=3"},
	{"a name with dots has its own namespace",
	 "{\"type\": \"record\", \"name\": \"n.s.r\", \"namespace\": \"other\", \"fields\": [" X(
		 p, "{\"type\": \"fixed\", \"name\": \"x\", \"size\": 1}") "," X(q, "\"n.s.x\"") "," F(1, INT) "]}",
	 ROW("12\x06"), "a=3"},
};

/* Rows that are refused. */
static const RowCase bad_rows[] = {
	{"cut off", R(F(1, LONG) "," X(x, INT)), ROW("\x06"), NULL},
	{"cut off in a number", R(F(1, LONG)), ROW("\x86"), NULL},
	{"cut off in a string", R(F(2, STR)), ROW("\x08xyz"), NULL},
	{"cut off in a skipped string", R(X(x, STR)), ROW("\x08xyz"), NULL},
	{"cut off in a fixed", R(X(x, "\"double\"")), ROW("1234567"), NULL},
	{"a number of eleven bytes", R(F(1, LONG)), ROW("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), NULL},
	{"a skipped number of eleven bytes", R(X(x, LONG)), ROW("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), NULL},
	{"an int beyond 32 bits", R(F(1, INT)), ROW("\x80\x80\x80\x80\x10"), NULL},
	{"a negative length", R(F(2, STR)), ROW("\x01x"), NULL},
	{"a huge length", R(X(x, STR)), ROW("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01x"), NULL},
	{"a branch that does not exist", R(F(1, OPT(INT))), ROW("\x04\x02"), NULL},
	{"a negative branch", R(F(1, OPT(INT))), ROW("\x01\x02"), NULL},
	{"a branch of several that does not exist", R(X(u, "[\"int\", \"string\", \"boolean\"]")), ROW("\x06\x02"), NULL},
	{"a boolean of two", R(F(4, REC(in, F(5, REC(tup, F(1, "\"boolean\"")))))), ROW("\x02"), NULL},
	{"more elements than bytes", R(F(3, ARRAY(INT))), ROW("\x08\x02\x02\x00"), NULL},
	{"elements beyond any count", R(F(3, ARRAY(INT))), ROW("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x00"), NULL},
	{"the most negative count", R(F(3, ARRAY(INT))), ROW("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x02\x00"), NULL},
	{"elements without bytes beyond any count", R(F(3, ARRAY("\"null\""))),
	 ROW("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00"), NULL},
	{"a block size beyond the row", R(F(3, ARRAY(INT))), ROW("\x01\x08\x02\x00"), NULL},
	{"a negative block size", R(F(3, ARRAY(INT))), ROW("\x01\x01\x02\x00"), NULL},
	{"an array that does not end", R(F(3, ARRAY(STR))), ROW("\x02\x02x"), NULL},
	{"an array of records that does not end", R(F(3, ARRAY(OPT(STR)))), ROW("\x04\x02\x02x"), NULL},
};

static void
append_value(FloeBuf *out, const char *name, const FloeAvroValue *v, bool bytes)
{
	if (!v->set)
		return;
	floe_buf_printf(out, "%s%s=", out->len > 0 ? " " : "", name);
	if (bytes)
		floe_buf_append(out, v->data, (size_t) v->num);
	else
		floe_buf_printf(out, "%lld", (long long) v->num);
}

/* The slots as text, in the order of the wanted fields; the columns of a tuple after it. */
static void
describe(const FloeAvroProgram *program, const FloeAvroValue *values, FloeBuf *out)
{
	floe_buf_reset(out);
	floe_buf_text(out, "");
	for (uint32_t i = 0; i < lengthof(wanted); i++)
	{
		append_value(out, wanted[i].name, &values[i],
					 wanted[i].want == FLOE_AVRO_WANT_BYTES || wanted[i].want == FLOE_AVRO_WANT_ENTRY);
		for (uint32_t c = 0; wanted[i].want == FLOE_AVRO_WANT_TUPLE && c < program->ncolumns; c++)
		{
			const FloeAvroColumn *column = &program->columns[c];
			char name[16];

			snprintf(name, sizeof(name), "%d", column->field_id);
			append_value(out, name, &values[column->slot], column->type == FLOE_AVRO_STRING);
		}
	}
}

static void
run_rows(const RowCase *cases, size_t n)
{
	FloeArena *arena = floe_arena_new(1024 * 1024);
	FloeBuf text;

	floe_buf_init(&text, 1000);
	for (size_t i = 0; i < n; i++)
	{
		const RowCase *c = &cases[i];
		FloeStatus st;
		const FloeAvroProgram *program =
			floe_avro_compile(arena, c->schema, strlen(c->schema), wanted, lengthof(wanted), &st);
		char *row = malloc(c->len > 0 ? c->len : 1);
		FloeAvroValue *values;
		FloeCursor cursor;
		bool done;

		ok(program != NULL, "%s: compiles", c->name);
		if (program == NULL)
		{
			printf("#   %s\n", st.message);
			free(row);
			continue;
		}
		values = malloc(program->nslots * sizeof(*values));
		memcpy(row, c->row, c->len);
		floe_cursor_init(&cursor, row, c->len);
		done = floe_avro_decode(program, &cursor, values, &st);
		if (c->expected == NULL)
			ok(!done && st.code == FLOE_ERR_CORRUPT, "%s: refused", c->name);
		else
		{
			ok(done && floe_cursor_left(&cursor) == 0, "%s: read to the end", c->name);
			ok(program->min_size <= c->len, "%s: not shorter than the least size %llu", c->name,
			   (unsigned long long) program->min_size);
			describe(program, values, &text);
			is_str(text.data, c->expected, "%s", c->name);
		}
		free(values);
		free(row);
		floe_arena_reset(arena);
	}
	floe_buf_free(&text);
	floe_arena_free(arena);
}

/* ---- schemas that are refused ---- */

static const struct
{
	const char *name;
	const char *schema;
	FloeCode code;
} bad_schemas[] = {
	{"nothing", "", FLOE_ERR_CORRUPT},
	{"not JSON", "{\"type\": ", FLOE_ERR_CORRUPT},
	{"not a record", INT, FLOE_ERR_CORRUPT},
	{"a number for a type", R(F(1, "7")), FLOE_ERR_CORRUPT},
	{"no type", "{\"name\": \"r\", \"fields\": []}", FLOE_ERR_CORRUPT},
	{"no fields", "{\"type\": \"record\", \"name\": \"r\"}", FLOE_ERR_CORRUPT},
	{"a field that is no object", R("7"), FLOE_ERR_CORRUPT},
	{"no name", "{\"type\": \"record\", \"fields\": []}", FLOE_ERR_CORRUPT},
	{"an unknown type", R(X(x, "\"unheard\"")), FLOE_ERR_CORRUPT},
	{"a type defined twice", R(X(x, REC(in, "")) "," X(y, REC(in, ""))), FLOE_ERR_CORRUPT},
	{"a type that contains itself", R(X(x, OPT("\"r\""))), FLOE_ERR_UNSUPPORTED},
	{"an array that contains itself", R(X(x, ARRAY("\"r\""))), FLOE_ERR_UNSUPPORTED},
	{"a string where a number is wanted", R(F(1, STR)), FLOE_ERR_CORRUPT},
	{"a record where a number is wanted", R(F(1, REC(in, ""))), FLOE_ERR_CORRUPT},
	{"a float where a number is wanted", R(F(1, "\"float\"")), FLOE_ERR_CORRUPT},
	{"a number where a struct is wanted", R(F(4, INT)), FLOE_ERR_CORRUPT},
	{"a number where an array is wanted", R(F(3, INT)), FLOE_ERR_CORRUPT},
	{"a union of several that is wanted", R(F(1, "[\"int\", \"long\", \"null\"]")), FLOE_ERR_CORRUPT},
	{"an array of numbers where entries are wanted", R(F(6, ARRAY(INT))), FLOE_ERR_CORRUPT},
	{"entries without keys", R(F(6, ARRAY(REC(kv, F(8, BYTES))))), FLOE_ERR_CORRUPT},
	{"entries with two keys", R(F(6, ARRAY(REC(kv, F(7, INT) "," X(x, INT) "," F(8, BYTES) "," F(7, INT))))),
	 FLOE_ERR_CORRUPT},
	{"a wanted field that is there twice", R(F(1, INT) "," F(1, INT)), FLOE_ERR_CORRUPT},
	{"a tuple with a field without id", R(F(4, REC(in, F(5, REC(tup, X(x, INT)))))), FLOE_ERR_CORRUPT},
	{"a tuple with an array", R(F(4, REC(in, F(5, REC(tup, F(1, ARRAY(INT))))))), FLOE_ERR_CORRUPT},
	{"a field id that is text", R("{\"name\": \"x\", \"field-id\": \"1\", \"type\": \"int\"}"), FLOE_ERR_CORRUPT},
	{"a field id beyond 32 bits", R("{\"name\": \"x\", \"field-id\": 4294967296, \"type\": \"int\"}"),
	 FLOE_ERR_CORRUPT},
	{"an empty union", R(X(x, "[]")), FLOE_ERR_CORRUPT},
	{"a fixed of negative size", R(X(x, "{\"type\": \"fixed\", \"name\": \"x\", \"size\": -1}")), FLOE_ERR_CORRUPT},
	{"arrays nested too deeply", R(X(x, ARRAY(ARRAY(ARRAY(ARRAY(ARRAY(ARRAY(ARRAY(ARRAY(ARRAY(INT))))))))))),
	 FLOE_ERR_TOO_LARGE},
};

static void
test_bad_schemas(void)
{
	FloeArena *arena = floe_arena_new(4 * 1024 * 1024);
	FloeBuf schema;
	FloeStatus st;

	for (size_t i = 0; i < lengthof(bad_schemas); i++)
	{
		const char *text = bad_schemas[i].schema;

		ok(floe_avro_compile(arena, text, strlen(text), wanted, lengthof(wanted), &st) == NULL &&
			   st.code == bad_schemas[i].code,
		   "%s: refused", bad_schemas[i].name);
		floe_arena_reset(arena);
	}

	/* Each record is twice the one before: 2^30 fields if somebody expanded it. */
	floe_buf_init(&schema, 100000);
	floe_buf_text(&schema, "{\"type\": \"record\", \"name\": \"r\", \"fields\": [" X(f0, REC(r0, "")));
	for (int i = 1; i < 30; i++)
		floe_buf_printf(&schema,
						",{\"name\": \"f%d\", \"type\": {\"type\": \"record\", \"name\": \"r%d\", \"fields\": ["
						"{\"name\": \"a\", \"type\": \"r%d\"}, {\"name\": \"b\", \"type\": \"r%d\"}]}}",
						i, i, i - 1, i - 1);
	floe_buf_text(&schema, "]}");
	ok(floe_avro_compile(arena, schema.data, schema.len, wanted, lengthof(wanted), &st) == NULL &&
		   st.code == FLOE_ERR_TOO_LARGE,
	   "a small schema that expands without end");

	floe_buf_reset(&schema);
	floe_buf_text(&schema, "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"f\", \"type\": ");
	for (int i = 0; i < 40; i++)
		floe_buf_text(&schema, "[\"null\", ");
	floe_buf_text(&schema, "\"int\"");
	for (int i = 0; i < 40; i++)
		floe_buf_text(&schema, "]");
	floe_buf_text(&schema, "}]}");
	ok(floe_avro_compile(arena, schema.data, schema.len, wanted, lengthof(wanted), &st) == NULL &&
		   st.code == FLOE_ERR_TOO_LARGE,
	   "a deep schema");
	floe_buf_free(&schema);
	floe_arena_free(arena);
}

static void
test_required(void)
{
	static const FloeAvroField needed[] = {
		{.parent = FLOE_AVRO_ROOT, .id = 1, .name = "a", .want = FLOE_AVRO_WANT_INT, .required = true}};
	static const char missing[] = R(F(2, INT)), optional[] = R(F(1, OPT(INT)));
	FloeArena *arena = floe_arena_new(1024 * 1024);
	const FloeAvroProgram *program;
	FloeAvroValue values[1];
	FloeCursor cursor;
	FloeStatus st;

	ok(floe_avro_compile(arena, missing, strlen(missing), needed, 1, &st) == NULL, "a required field is missing");
	is_str(st.message, "the Avro schema has no field 1 (a)", "and named");
	program = floe_avro_compile(arena, optional, strlen(optional), needed, 1, &st);
	floe_cursor_init(&cursor, "\x02\x06", 2);
	ok(program != NULL && floe_avro_decode(program, &cursor, values, &st) && values[0].num == 3,
	   "a required field may be optional in the schema");
	floe_cursor_init(&cursor, "\x00", 1);
	ok(!floe_avro_decode(program, &cursor, values, &st), "but not null in a row");
	is_str(st.message, "field 1 (a) is null", "and is named");
	floe_arena_free(arena);
}

int
main(void)
{
	run_rows(rows, lengthof(rows));
	run_rows(bad_rows, lengthof(bad_rows));
	test_bad_schemas();
	test_required();
	return tap_done();
}
