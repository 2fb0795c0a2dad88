/*
 * name_fn.c: table names, patterns and locations as SQL functions.
 */
#include "floe.h"

#include "base/cleanup.h"
#include "base/location.h"
#include "base/pattern.h"
#include "sqlfn/report.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "regex/regex.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define ARENA_LIMIT ((size_t) 4 * 1024 * 1024)
#define BLANKS " \t\n\r"

PG_FUNCTION_INFO_V1(floe_sql_parse_name);
PG_FUNCTION_INFO_V1(floe_sql_format_name);
PG_FUNCTION_INFO_V1(floe_sql_check_pattern);
PG_FUNCTION_INFO_V1(floe_sql_match_pattern);
PG_FUNCTION_INFO_V1(floe_sql_match_patterns);
PG_FUNCTION_INFO_V1(floe_sql_pattern_covers);
PG_FUNCTION_INFO_V1(floe_sql_match_catalog);
PG_FUNCTION_INFO_V1(floe_sql_location_key);
PG_FUNCTION_INFO_V1(floe_sql_location_prefixes);

static void
release_arena(void *arena)
{
	floe_arena_free(arena);
}

/* An arena that ends with the current memory context. */
static FloeArena *
new_arena(void)
{
	FloeCleanup *cleanup = floe_cleanup_register(release_arena);
	FloeArena *arena = floe_cleanup_hold(cleanup, floe_arena_new(ARENA_LIMIT));

	if (arena == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	return arena;
}

/* The levels of a text[] argument; NULL elements and other shapes are refused. */
static int
array_levels(ArrayType *array, FloeLevel *levels)
{
	Datum *elements;
	bool *nulls;
	int n;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR), errmsg("levels must be a one-dimensional array")));
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	if (n > FLOE_NAME_MAX_LEVELS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_NAME), errmsg("a name has at most %d levels", FLOE_NAME_MAX_LEVELS)));
	for (int i = 0; i < n; i++)
	{
		text *element;

		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("a level is null")));
		element = DatumGetTextPP(elements[i]);
		levels[i].data = VARDATA_ANY(element);
		levels[i].len = VARSIZE_ANY_EXHDR(element);
	}
	return n;
}

/* What was given, for a message: no more of it than people read. */
static char *
shown(text *given)
{
	int len = (int) VARSIZE_ANY_EXHDR(given);
	int clipped = pg_mbcliplen(VARDATA_ANY(given), len, 200);

	return psprintf("%.*s%s", clipped, VARDATA_ANY(given), clipped < len ? "..." : "");
}

Datum
floe_sql_parse_name(PG_FUNCTION_ARGS)
{
	text *name = PG_GETARG_TEXT_PP(0);
	FloeLevel levels[FLOE_NAME_MAX_LEVELS];
	Datum elements[FLOE_NAME_MAX_LEVELS];
	int n;
	FloeStatus st;

	if (!floe_name_parse(new_arena(), VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), false, levels, &n, &st))
		ereport(
			ERROR,
			(errcode(ERRCODE_INVALID_NAME), errmsg("\"%s\" is not a table name: %s", shown(name), st.message),
			 errhint("Write catalog.namespace.table; a part that holds a dot or a quote stands in double quotes.")));
	for (int i = 0; i < n; i++)
		elements[i] = PointerGetDatum(cstring_to_text_with_len(levels[i].data, (int) levels[i].len));
	PG_RETURN_ARRAYTYPE_P(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static void
release_buf(void *buf)
{
	floe_buf_free(buf);
}

static text *
buf_text(FloeBuf *buf, FloeCleanup *cleanup)
{
	text *result;

	if (buf->failed)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("name is too long")));
	result = cstring_to_text_with_len(buf->data != NULL ? buf->data : "", (int) buf->len);
	floe_cleanup_run(cleanup);
	return result;
}

Datum
floe_sql_format_name(PG_FUNCTION_ARGS)
{
	FloeLevel levels[FLOE_NAME_MAX_LEVELS];
	int n = array_levels(PG_GETARG_ARRAYTYPE_P(0), levels);
	FloeBuf *buf = palloc(sizeof(FloeBuf));
	FloeCleanup *cleanup = floe_cleanup_register(release_buf);

	floe_buf_init(buf, FLOE_NAME_MAX_BYTES * 4);
	floe_cleanup_hold(cleanup, buf);
	floe_name_format(buf, levels, n);
	PG_RETURN_TEXT_P(buf_text(buf, cleanup));
}

/* ---- patterns ---- */

static pg_wchar *
to_wchar(FloeLevel slice, int *len)
{
	pg_wchar *wide = palloc((slice.len + 1) * sizeof(pg_wchar));

	*len = pg_mb2wchar_with_len(slice.data, wide, (int) slice.len);
	return wide;
}

/* ^(?:regex)$: the whole level must match. Options as in (?i) can only stand at the very front. */
static char *
anchored(FloeLevel regex)
{
	size_t options = 2;

	while (options < regex.len && regex.data[options] >= 'a' && regex.data[options] <= 'z')
		options++;
	if (options == 2 || options >= regex.len || memcmp(regex.data, "(?", 2) != 0 || regex.data[options] != ')')
		options = 0;
	else
		options++;
	return psprintf("%.*s^(?:%.*s)$", (int) options, regex.data, (int) (regex.len - options), regex.data + options);
}

static bool
match_regex(void *arg, FloeLevel regex, FloeLevel text)
{
	char *whole = anchored(regex);
	struct varlena *re = (struct varlena *) cstring_to_text(whole);
	regex_t *compiled = RE_compile_and_cache(re, REG_ADVANCED | REG_NOSUB, C_COLLATION_OID);
	int len;
	pg_wchar *wide = to_wchar(text, &len);
	int result = pg_regexec(compiled, wide, len, 0, NULL, 0, NULL, 0);

	pfree(wide);
	pfree(re);
	pfree(whole);
	if (result == REG_OKAY)
		return true;
	if (result != REG_NOMATCH)
		ereport(ERROR, (errcode(ERRCODE_INVALID_REGULAR_EXPRESSION),
						errmsg("regular expression /%.*s/ failed", (int) regex.len, regex.data)));
	return false;
}

static void
parse_pattern(text *source, FloeArena *arena, FloePattern *pattern)
{
	FloeStatus st;

	if (!floe_pattern_parse(arena, VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source), pattern, &st))
		ereport(
			ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"%s\" is not a pattern: %s", shown(source), st.message),
			 st.detail[0] != '\0' ? errdetail("%s", st.detail) : 0,
			 errhint(
				 "Write catalog.namespace.table with * and ? inside a level, ** for any levels, /regex/ for one level, "
				 "commas between patterns and ! before those that exclude.")));
}

/* The pattern of the last call, parsed: most callers match one pattern with many tables. */
typedef struct PatternCache
{
	MemoryContext context;
	text *source;
	FloePattern pattern;
} PatternCache;

static const FloePattern *
cached_pattern(FunctionCallInfo fcinfo, text *source)
{
	PatternCache *cache = fcinfo->flinfo->fn_extra;
	MemoryContext old;
	FloePattern pattern;
	text *copy;

	if (cache == NULL)
	{
		cache = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(PatternCache));
		cache->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "floe pattern", ALLOCSET_SMALL_SIZES);
		fcinfo->flinfo->fn_extra = cache;
	}
	if (cache->source != NULL && VARSIZE_ANY_EXHDR(cache->source) == VARSIZE_ANY_EXHDR(source) &&
		memcmp(VARDATA_ANY(cache->source), VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source)) == 0)
		return &cache->pattern;
	cache->source = NULL;
	MemoryContextReset(cache->context);
	old = MemoryContextSwitchTo(cache->context);
	/* slices of the pattern point into the copy */
	copy = cstring_to_text_with_len(VARDATA_ANY(source), (int) VARSIZE_ANY_EXHDR(source));
	parse_pattern(copy, new_arena(), &pattern);
	MemoryContextSwitchTo(old);
	cache->pattern = pattern;
	cache->source = copy;
	return &cache->pattern;
}

static bool
compiles(FloeLevel regex, char *reason, size_t size)
{
	int len;
	pg_wchar *wide = to_wchar(regex, &len);
	regex_t compiled;
	int result = pg_regcomp(&compiled, wide, len, REG_ADVANCED | REG_NOSUB, C_COLLATION_OID);

	pfree(wide);
	if (result != REG_OKAY)
	{
		pg_regerror(result, &compiled, reason, size);
		return false;
	}
	pg_regfree(&compiled);
	return true;
}

/* As it stands, too: "a)|(b" would only be balanced by what is put around it. */
static void
check_regex(text *source, FloeLevel regex)
{
	char *whole = anchored(regex);
	FloeLevel framed = {whole, strlen(whole)};
	char reason[100];

	if (compiles(regex, reason, sizeof(reason)) && compiles(framed, reason, sizeof(reason)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%s\" is not a pattern: the regular expression /%.*s/ is not valid", shown(source),
					(int) regex.len, regex.data),
			 errdetail("Reason: %s.", reason), errhint("It is a PostgreSQL regular expression for one whole level.")));
}

Datum
floe_sql_check_pattern(PG_FUNCTION_ARGS)
{
	text *source = PG_GETARG_TEXT_PP(0);
	char *trimmed = text_to_cstring(source);
	FloePattern pattern;

	trimmed += strspn(trimmed, BLANKS);
	for (size_t n = strlen(trimmed); n > 0 && strchr(BLANKS, trimmed[n - 1]) != NULL; n--)
		trimmed[n - 1] = '\0';
	source = cstring_to_text(trimmed);
	parse_pattern(source, new_arena(), &pattern);
	for (int i = 0; i < pattern.nitems; i++)
	{
		for (int j = 0; j < pattern.items[i].ntokens; j++)
		{
			if (pattern.items[i].kinds[j] == FLOE_TOKEN_REGEX)
				check_regex(source, pattern.items[i].texts[j]);
		}
	}
	PG_RETURN_TEXT_P(source);
}

Datum
floe_sql_match_pattern(PG_FUNCTION_ARGS)
{
	const FloePattern *pattern = cached_pattern(fcinfo, PG_GETARG_TEXT_PP(0));
	FloeLevel levels[FLOE_NAME_MAX_LEVELS];
	int n = array_levels(PG_GETARG_ARRAYTYPE_P(1), levels);
	int specificity = floe_pattern_match(pattern, levels, n, match_regex, NULL);

	if (specificity < 0)
		PG_RETURN_NULL();
	PG_RETURN_INT32(specificity);
}

/* The patterns of the last call, parsed: a query asks about the same ones for each of its tables. */
typedef struct PatternListCache
{
	MemoryContext context;
	ArrayType *source;
	int n;
	FloePattern *patterns;
} PatternListCache;

static const PatternListCache *
cached_patterns(FunctionCallInfo fcinfo, ArrayType *source)
{
	PatternListCache *cache = fcinfo->flinfo->fn_extra;
	MemoryContext old;
	ArrayType *copy;
	Datum *elements;
	bool *nulls;
	int n;

	if (cache == NULL)
	{
		cache = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(PatternListCache));
		cache->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "floe patterns", ALLOCSET_DEFAULT_SIZES);
		fcinfo->flinfo->fn_extra = cache;
	}
	if (cache->source != NULL && VARSIZE_ANY(cache->source) == VARSIZE_ANY(source) &&
		memcmp(cache->source, source, VARSIZE_ANY(source)) == 0)
		return cache;
	cache->source = NULL;
	MemoryContextReset(cache->context);
	old = MemoryContextSwitchTo(cache->context);
	/* slices of the patterns point into the copy */
	copy = DatumGetArrayTypePCopy(PointerGetDatum(source));
	deconstruct_array(copy, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	cache->patterns = palloc0(Max(n, 1) * sizeof(FloePattern));
	cache->n = n;
	for (int i = 0; i < n; i++)
	{
		/* of a NULL no item is left, and it matches nothing */
		if (!nulls[i])
			parse_pattern(DatumGetTextPP(elements[i]), new_arena(), &cache->patterns[i]);
	}
	MemoryContextSwitchTo(old);
	cache->source = copy;
	return cache;
}

Datum
floe_sql_match_patterns(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const PatternListCache *cache = cached_patterns(fcinfo, PG_GETARG_ARRAYTYPE_P(0));
	FloeLevel levels[FLOE_NAME_MAX_LEVELS];
	int n = array_levels(PG_GETARG_ARRAYTYPE_P(1), levels);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < cache->n; i++)
	{
		int specificity = floe_pattern_match(&cache->patterns[i], levels, n, match_regex, NULL);
		Datum values[2] = {Int32GetDatum(i + 1), Int32GetDatum(specificity)};
		bool nulls[2] = {0};

		if (specificity >= 0)
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
floe_sql_pattern_covers(PG_FUNCTION_ARGS)
{
	FloePattern outer;
	FloePattern inner;

	parse_pattern(PG_GETARG_TEXT_PP(0), new_arena(), &outer);
	parse_pattern(PG_GETARG_TEXT_PP(1), new_arena(), &inner);
	PG_RETURN_BOOL(floe_pattern_covers(&outer, &inner, match_regex, NULL));
}

Datum
floe_sql_match_catalog(PG_FUNCTION_ARGS)
{
	const FloePattern *pattern = cached_pattern(fcinfo, PG_GETARG_TEXT_PP(0));
	text *catalog = PG_GETARG_TEXT_PP(1);
	FloeLevel slice = {VARDATA_ANY(catalog), VARSIZE_ANY_EXHDR(catalog)};

	PG_RETURN_BOOL(floe_pattern_match_catalog(pattern, slice, match_regex, NULL));
}

/* ---- locations ---- */

Datum
floe_sql_location_key(PG_FUNCTION_ARGS)
{
	text *location = PG_GETARG_TEXT_PP(0);
	FloeBuf *buf = palloc(sizeof(FloeBuf));
	FloeCleanup *cleanup = floe_cleanup_register(release_buf);

	floe_buf_init(buf, VARSIZE_ANY_EXHDR(location) + 16);
	floe_cleanup_hold(cleanup, buf);
	floe_location_key(buf, VARDATA_ANY(location), VARSIZE_ANY_EXHDR(location));
	PG_RETURN_TEXT_P(buf_text(buf, cleanup));
}

Datum
floe_sql_location_prefixes(PG_FUNCTION_ARGS)
{
	text *key = PG_GETARG_TEXT_PP(0);
	size_t len = VARSIZE_ANY_EXHDR(key);
	ArrayBuildState *state = initArrayResult(TEXTOID, CurrentMemoryContext, false);

	while ((len = floe_location_parent(VARDATA_ANY(key), len)) > 0)
		state = accumArrayResult(state, PointerGetDatum(cstring_to_text_with_len(VARDATA_ANY(key), (int) len)), false,
								 TEXTOID, CurrentMemoryContext);
	PG_RETURN_DATUM(makeArrayResult(state, CurrentMemoryContext));
}
