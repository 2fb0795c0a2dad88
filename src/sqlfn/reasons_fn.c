/*
 * reasons_fn.c
 *	  What all gates said of an operation, as the JSON that is kept as its
 *	  reason.
 *
 * Apart, because it is the one thing of a decision that SQL took too long
 * for: eighteen small objects for each operation that is to run, built and
 * then gone through once more for nulls, were a tenth of a pass.
 */
#include "floe.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(floe_sql_gate_reasons);

/* Attributes of floe_internal.gate_line, in its order. */
enum
{
	LINE_GATE,
	LINE_POSITION,
	LINE_STATUS,
	LINE_LABEL,
	LINE_VALUE,
	LINE_LIMIT,
	LINE_SET_BY,
	LINE_NEXT_AT,
	LINE_COLUMNS
};

typedef struct Line
{
	Datum values[LINE_COLUMNS];
	bool nulls[LINE_COLUMNS];
} Line;

static void
push_string(JsonbParseState **state, JsonbIteratorToken token, char *text, int length)
{
	JsonbValue value;

	value.type = jbvString;
	value.val.string.val = text;
	value.val.string.len = length;
	pushJsonbValue(state, token, &value);
}

static void
push_text(JsonbParseState **state, char *key, const Line *line, int column)
{
	text *value;

	if (line->nulls[column])
		return;
	value = DatumGetTextPP(line->values[column]);
	push_string(state, WJB_KEY, key, (int) strlen(key));
	push_string(state, WJB_VALUE, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

static void
push_line(JsonbParseState **state, const Line *line)
{
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	push_text(state, "gate", line, LINE_LABEL);
	push_text(state, "status", line, LINE_STATUS);
	push_text(state, "value", line, LINE_VALUE);
	push_text(state, "limit", line, LINE_LIMIT);
	push_text(state, "set_by", line, LINE_SET_BY);
	if (!line->nulls[LINE_NEXT_AT])
	{
		char *text = palloc(MAXDATELEN + 1);

		JsonEncodeDateTime(text, line->values[LINE_NEXT_AT], TIMESTAMPTZOID, NULL);
		push_string(state, WJB_KEY, "next_at", (int) strlen("next_at"));
		push_string(state, WJB_VALUE, text, (int) strlen(text));
	}
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

static int
by_position(const void *a, const void *b)
{
	return DatumGetInt16(((const Line *) a)->values[LINE_POSITION]) -
		   DatumGetInt16(((const Line *) b)->values[LINE_POSITION]);
}

/* A type of that many columns is told from another one by the SQL that declares the function; a NULL line or position is left out. */
static int
read_lines(ArrayType *array, Line **lines)
{
	Datum *rows;
	bool *row_nulls;
	int16 length;
	bool by_value;
	char alignment;
	int given;
	int n = 0;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &alignment);
	deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, alignment, &rows, &row_nulls, &given);
	*lines = palloc(sizeof(Line) * Max(given, 1));
	for (int i = 0; i < given; i++)
	{
		HeapTupleHeader header;
		HeapTupleData tuple;
		TupleDesc desc;

		if (row_nulls[i])
			continue;
		header = DatumGetHeapTupleHeader(rows[i]);
		desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
		if (desc->natts != LINE_COLUMNS)
			elog(ERROR, "a gate's line has %d columns, not %d", desc->natts, LINE_COLUMNS);
		memset(&tuple, 0, sizeof(tuple));
		tuple.t_len = HeapTupleHeaderGetDatumLength(header);
		tuple.t_data = header;
		heap_deform_tuple(&tuple, desc, (*lines)[n].values, (*lines)[n].nulls);
		ReleaseTupleDesc(desc);
		if (!(*lines)[n].nulls[LINE_POSITION])
			n++;
	}
	return n;
}

/* lines: floe_internal.gate_line[]; their order does not matter */
Datum
floe_sql_gate_reasons(PG_FUNCTION_ARGS)
{
	JsonbParseState *state = NULL;
	Line *lines;
	int n = read_lines(PG_GETARG_ARRAYTYPE_P(0), &lines);

	qsort(lines, n, sizeof(Line), by_position);
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < n; i++)
		push_line(&state, &lines[i]);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL)));
}
