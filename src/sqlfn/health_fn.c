/*
 * health_fn.c: manifest aggregates and snapshot lists as SQL sees them.
 *
 * merge_manifests() and merge_partitions() stream the stored blobs of one
 * manifest list, delete manifests first, through iceberg/health.h; nothing of
 * a table is in memory but its partitions.
 */
#include "floe.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "iceberg/health.h"
#include "iceberg/retention.h"
#include "iceberg/snapshot_codec.h"
#include "sqlfn/report.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include <math.h>

#define HEALTH_ARENA_LIMIT ((size_t) 1024 * 1024 * 1024)
#define SNAPSHOT_ARENA_LIMIT ((size_t) 512 * 1024 * 1024)

PG_FUNCTION_INFO_V1(floe_sql_merge_step);
PG_FUNCTION_INFO_V1(floe_sql_merge_totals);
PG_FUNCTION_INFO_V1(floe_sql_merge_partition_rows);
PG_FUNCTION_INFO_V1(floe_sql_snapshot_list);
PG_FUNCTION_INFO_V1(floe_sql_expirable);
PG_FUNCTION_INFO_V1(floe_sql_encode_snapshots);
PG_FUNCTION_INFO_V1(floe_sql_expirable_bytes);

typedef struct MergeState
{
	FloeArena *arena;
	FloeHealth *health;
} MergeState;

static void
release_arena(void *arena)
{
	floe_arena_free(arena);
}

static FloeArena *
new_arena(size_t limit)
{
	FloeCleanup *cleanup = floe_cleanup_register(release_arena);
	FloeArena *arena = floe_cleanup_hold(cleanup, floe_arena_new(limit));

	if (arena == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	return arena;
}

static MergeState *
new_state(const FloeHealthOptions *options)
{
	MergeState *state = palloc0(sizeof(MergeState));
	FloeStatus st;

	state->arena = new_arena(HEALTH_ARENA_LIMIT);
	state->health = floe_health_new(state->arena, options, &st);
	if (state->health == NULL)
		floe_report(&st);
	return state;
}

/* state, content, spec_id, aggregate, target_bytes, small_below, oversized_above, min_input_files, deletes_per_file */
Datum
floe_sql_merge_step(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	MemoryContext old;
	MergeState *state = PG_ARGISNULL(0) ? NULL : (MergeState *) PG_GETARG_POINTER(0);
	bytea *blob;
	FloeStatus st;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "merge_step called outside of an aggregate");
	for (int i = 1; i <= 8; i++)
	{
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument %d of a manifest merge is null", i)));
	}
	if (state == NULL)
	{
		FloeHealthOptions options = {
			.target_file_bytes = PG_GETARG_INT64(4),
			.bounds = {PG_GETARG_INT64(5), PG_GETARG_INT64(6)},
			.min_input_files = PG_GETARG_INT32(7),
			.deletes_per_file = PG_GETARG_BOOL(8),
			.target_manifest_bytes = 1, /* SQL counts manifests by itself */
		};

		old = MemoryContextSwitchTo(context);
		state = new_state(&options);
		MemoryContextSwitchTo(old);
	}
	blob = PG_GETARG_BYTEA_PP(3);
	if (!floe_health_add(state->health, PG_GETARG_INT32(1), PG_GETARG_INT32(2), 0, VARDATA_ANY(blob),
						 VARSIZE_ANY_EXHDR(blob), &st))
		floe_report(&st);
	PG_RETURN_POINTER(state);
}

/* A table without manifests: everything is known, and zero. */
static MergeState *
final_state(FunctionCallInfo fcinfo, FloeHealthTotals *totals)
{
	FloeHealthOptions none = {.target_file_bytes = 1, .min_input_files = 1, .target_manifest_bytes = 1};
	MergeState *state = PG_ARGISNULL(0) ? new_state(&none) : (MergeState *) PG_GETARG_POINTER(0);
	FloeStatus st;

	if (!floe_health_finish(state->health, totals, &st))
		floe_report(&st);
	return state;
}

static void
set_float(Datum *values, bool *nulls, int i, double value)
{
	nulls[i] = isnan(value);
	values[i] = Float8GetDatum(nulls[i] ? 0 : value);
}

Datum
floe_sql_merge_totals(PG_FUNCTION_ARGS)
{
	TupleDesc desc;
	FloeHealthTotals t;
	Datum values[26];
	bool nulls[26] = {0};
	int i = 0;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "merge_totals must return a row");
	(void) final_state(fcinfo, &t);
	values[i++] = Int64GetDatum(t.data_file_count);
	values[i++] = Int64GetDatum(t.data_bytes);
	values[i++] = Int64GetDatum(t.record_count);
	values[i++] = Int64GetDatum(t.small_file_count);
	values[i++] = Int64GetDatum(t.small_file_bytes);
	values[i++] = Int64GetDatum(t.excess_file_count);
	values[i++] = Int64GetDatum(t.oversized_file_count);
	values[i++] = Int64GetDatum(t.oversized_file_bytes);
	values[i++] = Int64GetDatum(t.position_deletes.files);
	values[i++] = Int64GetDatum(t.position_deletes.rows);
	values[i++] = Int64GetDatum(t.excess_delete_file_count);
	values[i++] = Int64GetDatum(t.equality_deletes.files);
	values[i++] = Int64GetDatum(t.equality_deletes.rows);
	values[i++] = Int64GetDatum(t.deletion_vectors.files);
	values[i++] = Int64GetDatum(t.deletion_vectors.rows);
	values[i++] = Int64GetDatum(t.delete_bytes);
	nulls[i] = t.needs_paths;
	values[i++] = Int64GetDatum(t.dangling_delete_count);
	values[i++] = Int64GetDatum(t.partition_count);
	set_float(values, nulls, i++, t.partition_skew);
	set_float(values, nulls, i++, t.manifest_spread);
	values[i++] = Int64GetDatum(t.deleted_entry_count);
	set_float(values, nulls, i++, t.stat_column_count);
	values[i++] = BoolGetDatum(t.inexact);
	values[i++] = BoolGetDatum(t.needs_paths);
	values[i++] = Int64GetDatum(t.rewrite_file_count);
	values[i++] = Int64GetDatum(t.rewrite_bytes);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

static Datum
snapshot_array(const FloeSnapshotSet *set)
{
	Datum ids[FLOE_AGG_SNAPSHOTS];
	int n = Min((int) set->count, FLOE_AGG_SNAPSHOTS);

	for (int i = 0; i < n; i++)
		ids[i] = Int64GetDatum(set->refs[i].snapshot_id);
	return PointerGetDatum(construct_array(ids, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static HeapTuple
partition_tuple(TupleDesc desc, const FloeHealthPartition *p, bool dangling_known)
{
	Datum values[18];
	bool nulls[18] = {0};
	int i = 0;

	values[i++] = Int32GetDatum(p->spec_id);
	values[i++] = PointerGetDatum(cstring_to_text_with_len(p->partition, (int) p->partition_len));
	values[i++] = Int64GetDatum(p->data_file_count);
	values[i++] = Int64GetDatum(p->data_bytes);
	values[i++] = Int64GetDatum(p->record_count);
	values[i++] = Int64GetDatum(p->small_file_count);
	values[i++] = Int64GetDatum(p->small_file_bytes);
	values[i++] = Int64GetDatum(p->excess_file_count);
	values[i++] = Int64GetDatum(p->oversized_file_count);
	values[i++] = Int64GetDatum(p->position_deletes.files);
	values[i++] = Int64GetDatum(p->excess_delete_file_count);
	values[i++] = Int64GetDatum(p->equality_deletes.files);
	values[i++] = Int64GetDatum(p->deletion_vectors.files);
	values[i++] = Int64GetDatum(p->delete_row_count);
	nulls[i] = !dangling_known;
	values[i++] = Int64GetDatum(p->dangling_delete_count);
	values[i++] = Int64GetDatum(p->manifest_count);
	values[i++] = snapshot_array(&p->snapshots);
	nulls[i] = p->last_delete_sequence_number <= 0;
	values[i++] = Int64GetDatum(p->last_delete_sequence_number);
	return heap_form_tuple(desc, values, nulls);
}

Datum
floe_sql_merge_partition_rows(PG_FUNCTION_ARGS)
{
	Oid element = get_element_type(get_fn_expr_rettype(fcinfo->flinfo));
	TupleDesc desc;
	FloeHealthTotals totals;
	MergeState *state = final_state(fcinfo, &totals);
	ArrayBuildState *result;

	if (!OidIsValid(element))
		element = get_element_type(get_func_rettype(fcinfo->flinfo->fn_oid));
	desc = lookup_rowtype_tupdesc_copy(element, -1);
	result = initArrayResult(element, CurrentMemoryContext, false);
	for (uint32 i = 0; i < totals.partition_rows; i++)
	{
		HeapTuple tuple = partition_tuple(desc, floe_health_partition(state->health, i), !totals.needs_paths);

		result = accumArrayResult(result, HeapTupleGetDatum(tuple), false, element, CurrentMemoryContext);
	}
	PG_RETURN_DATUM(makeArrayResult(result, CurrentMemoryContext));
}

/* ---- snapshots ---- */

static TimestampTz
from_ms(int64 ms)
{
	int64 shift = ((int64) POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * INT64CONST(1000);

	/* what no timestamp can hold is shown as the end of time rather than as a wrong one */
	if (ms > INT64CONST(9000000000000000))
		return DT_NOEND;
	return (ms - shift) * 1000;
}

static int64
to_ms(TimestampTz at)
{
	return at / 1000 + ((int64) POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * INT64CONST(1000);
}

static void
set_counter(Datum *values, bool *nulls, int i, const FloeSnapshot *s, FloeCounter counter)
{
	int64 value = 0;

	nulls[i] = !floe_snapshot_counter(s, counter, &value);
	values[i] = Int64GetDatum(value);
}

Datum
floe_sql_snapshot_list(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	bytea *encoded = PG_GETARG_BYTEA_PP(0);
	FloeSnapshot *snapshots;
	int count;
	FloeStatus st;

	InitMaterializedSRF(fcinfo, 0);
	if (!floe_snapshots_decode(VARDATA_ANY(encoded), VARSIZE_ANY_EXHDR(encoded), new_arena(SNAPSHOT_ARENA_LIMIT),
							   &snapshots, &count, &st))
		floe_report(&st);
	for (int i = 0; i < count; i++)
	{
		const FloeSnapshot *s = &snapshots[i];
		Datum values[9];
		bool nulls[9] = {0};

		values[0] = Int64GetDatum(s->id);
		nulls[1] = !s->has_parent;
		values[1] = Int64GetDatum(s->parent_id);
		values[2] = Int64GetDatum(s->sequence_number);
		values[3] = TimestampTzGetDatum(from_ms(s->timestamp_ms));
		nulls[4] = s->op == FLOE_SNAPSHOT_UNKNOWN;
		values[4] = CStringGetTextDatum(floe_snapshot_op_name(s->op));
		set_counter(values, nulls, 5, s, FLOE_COUNTER_ADDED_DATA_FILES);
		set_counter(values, nulls, 6, s, FLOE_COUNTER_DELETED_DATA_FILES);
		set_counter(values, nulls, 7, s, FLOE_COUNTER_ADDED_FILES_SIZE);
		set_counter(values, nulls, 8, s, FLOE_COUNTER_REMOVED_FILES_SIZE);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

static void
release_buf(void *buf)
{
	floe_buf_free(buf);
}

static Datum *
array_values(FunctionCallInfo fcinfo, int n, Oid type, int len, bool by_value, char align, int *count)
{
	ArrayType *array = PG_GETARG_ARRAYTYPE_P(n);
	Datum *values;
	bool *nulls;

	deconstruct_array(array, type, len, by_value, align, &values, &nulls, count);
	if (ARR_NDIM(array) > 1 || array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument %d must be a list without nulls", n)));
	return values;
}

/* ids, committed_at, operations: of one branch, each snapshot the parent of the next; no counters */
Datum
floe_sql_encode_snapshots(PG_FUNCTION_ARGS)
{
	int count;
	int times;
	int ops;
	Datum *ids = array_values(fcinfo, 0, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &count);
	Datum *at = array_values(fcinfo, 1, TIMESTAMPTZOID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &times);
	Datum *names = array_values(fcinfo, 2, TEXTOID, -1, false, TYPALIGN_INT, &ops);
	FloeSnapshot *snapshots = palloc0(sizeof(FloeSnapshot) * Max(count, 1));
	FloeBuf *buf = palloc(sizeof(FloeBuf));
	FloeCleanup *cleanup = floe_cleanup_register(release_buf);
	bytea *result;
	FloeStatus st;

	if (times != count || ops != count)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR), errmsg("lists of snapshots differ in length")));
	for (int i = 0; i < count; i++)
	{
		text *op = DatumGetTextPP(names[i]);

		snapshots[i].id = DatumGetInt64(ids[i]);
		snapshots[i].timestamp_ms = to_ms(DatumGetTimestampTz(at[i]));
		snapshots[i].sequence_number = i + 1;
		snapshots[i].op = floe_snapshot_op_parse(VARDATA_ANY(op), VARSIZE_ANY_EXHDR(op));
		snapshots[i].has_parent = i > 0;
		snapshots[i].parent_id = i > 0 ? snapshots[i - 1].id : 0;
	}
	floe_buf_init(buf, SNAPSHOT_ARENA_LIMIT);
	floe_cleanup_hold(cleanup, buf);
	if (!floe_snapshots_encode(snapshots, count, buf, &st))
		floe_report(&st);
	result = palloc(buf->len + VARHDRSZ);
	SET_VARSIZE(result, buf->len + VARHDRSZ);
	memcpy(VARDATA(result), buf->data, buf->len);
	floe_cleanup_run(cleanup);
	PG_RETURN_BYTEA_P(result);
}

static int64
interval_ms(Interval *interval)
{
	double ms = interval->time / 1000.0 + ((double) interval->day + 30.0 * interval->month) * SECS_PER_DAY * 1000.0;

	return ms >= 9e18 ? PG_INT64_MAX : ms <= 0 ? 0 : (int64) ms;
}

/* refs as apply_assessment() stored them: [{"name", "type", "snapshot_id", "max_ref_age_ms"?, …}] */
static int
read_refs(FloeJson array, FloeArena *arena, FloeRef **refs, FloeStatus *st)
{
	int n = (int) floe_json_length(array);

	*refs = floe_arena_alloc0(arena, sizeof(FloeRef) * Max(n, 1));
	if (*refs == NULL)
	{
		floe_fail(st, FLOE_ERR_NOMEM, "out of memory");
		return -1;
	}
	for (int i = 0; i < n; i++)
	{
		FloeJson item = floe_json_at(array, i);
		FloeRef *ref = &(*refs)[i];
		const char *type;
		int64 keep;

		if (!floe_json_get_string(item, "name", &ref->name, st) || !floe_json_get_string(item, "type", &type, st) ||
			!floe_json_get_int(item, "snapshot_id", &ref->snapshot_id, st) ||
			!floe_json_opt_int(item, "max_ref_age_ms", 0, &ref->max_ref_age_ms, st) ||
			!floe_json_opt_int(item, "max_snapshot_age_ms", 0, &ref->max_snapshot_age_ms, st) ||
			!floe_json_opt_int(item, "min_snapshots_to_keep", 0, &keep, st))
			return -1;
		ref->min_snapshots_to_keep = (int32) keep;
		ref->is_branch = strcmp(type, "branch") == 0;
	}
	return n;
}

/*
 * When the answer changes by time alone: the moment the oldest snapshot that
 * stays becomes old enough.  Early rather than late: whether it goes then
 * also hangs on refs.
 */
static bool
next_change(const FloeLineage *lineage, const FloeExpiry *expiry, const FloeRetention *retention, int64 now_ms,
			int64 *next_ms)
{
	int64 best = PG_INT64_MAX;

	for (int i = 0; i < lineage->count; i++)
	{
		int64 due = lineage->snapshots[i].timestamp_ms + retention->max_snapshot_age_ms;

		if (due > now_ms && due < best)
			best = due;
	}
	*next_ms = best;
	return best != PG_INT64_MAX && expiry->snapshot_count < lineage->count;
}

static bool
compute_expiry(bytea *encoded, Jsonb *refs_json, const FloeRetention *retention, int64 now_ms, FloeArena *arena,
			   FloeLineage *lineage, FloeExpiry *expiry, FloeStatus *st)
{
	char *text = JsonbToCString(NULL, &refs_json->root, VARSIZE(refs_json));
	FloeSnapshot *snapshots;
	FloeRef *refs;
	FloeJsonDoc *doc;
	int count;
	int nrefs;
	bool ok;

	if (!floe_snapshots_decode(VARDATA_ANY(encoded), VARSIZE_ANY_EXHDR(encoded), arena, &snapshots, &count, st) ||
		!floe_lineage_init(lineage, arena, snapshots, count, st))
		return false;
	doc = floe_json_parse(text, strlen(text), "refs", 64 * 1024 * 1024, st);
	if (doc == NULL)
		return false;
	nrefs = read_refs(floe_json_root(doc), arena, &refs, st);
	ok = nrefs >= 0 && floe_retention_apply(lineage, refs, nrefs, retention, now_ms, arena, expiry, st);
	floe_json_free(doc);
	return ok;
}

/* Arguments 3 to 5 of both functions below; what is NULL is Iceberg's default. */
static FloeRetention
retention_arguments(FunctionCallInfo fcinfo)
{
	FloeRetention retention = floe_retention_default;

	if (!PG_ARGISNULL(3))
		retention.max_snapshot_age_ms = interval_ms(PG_GETARG_INTERVAL_P(3));
	if (!PG_ARGISNULL(4))
		retention.min_snapshots_to_keep = Max(1, PG_GETARG_INT32(4));
	if (!PG_ARGISNULL(5))
		retention.max_ref_age_ms = interval_ms(PG_GETARG_INTERVAL_P(5));
	return retention;
}

/* encoded, refs, current_snapshot_id, max_snapshot_age, min_snapshots_to_keep, max_ref_age, at */
Datum
floe_sql_expirable(PG_FUNCTION_ARGS)
{
	TupleDesc desc;
	FloeRetention retention = retention_arguments(fcinfo);
	FloeLineage lineage;
	FloeExpiry expiry = {0};
	Datum values[6] = {0};
	bool nulls[6] = {false, false, true, true, false, false};
	bool has_next = false;
	int64 next_ms = 0;
	FloeStatus st;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "expirable must return a row");
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(6))
	{
		memset(nulls, true, sizeof(nulls));
		PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
	}
	if (!compute_expiry(PG_GETARG_BYTEA_PP(0), PG_GETARG_JSONB_P(1), &retention, to_ms(PG_GETARG_TIMESTAMPTZ(6)),
						new_arena(SNAPSHOT_ARENA_LIMIT), &lineage, &expiry, &st))
		floe_report(&st);
	has_next = next_change(&lineage, &expiry, &retention, to_ms(PG_GETARG_TIMESTAMPTZ(6)), &next_ms);
	values[0] = Int32GetDatum(expiry.snapshot_count);
	values[1] = Int32GetDatum(expiry.ref_count);
	nulls[2] = expiry.snapshot_count == 0;
	values[2] = TimestampTzGetDatum(from_ms(expiry.oldest_ms));
	nulls[3] = !has_next;
	values[3] = TimestampTzGetDatum(from_ms(next_ms));
	values[4] = Int64GetDatum(expiry.freed_files);
	values[5] = Int64GetDatum(expiry.freed_bytes);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/*
 * Bytes of the files that a snapshot took out of the table.  A summary leaves
 * out counters that are zero, so a missing size says nothing where there may
 * have been files.
 */
static bool
removed_bytes(const FloeSnapshot *snapshot, int64 *bytes)
{
	int64 added = 0;
	int64 gone = 0;
	bool has_added = floe_snapshot_counter(snapshot, FLOE_COUNTER_ADDED_DATA_FILES, &added);
	bool has_gone = floe_snapshot_counter(snapshot, FLOE_COUNTER_DELETED_DATA_FILES, &gone);

	*bytes = 0;
	if (floe_snapshot_counter(snapshot, FLOE_COUNTER_REMOVED_FILES_SIZE, bytes))
		return true;
	if (snapshot->op == FLOE_SNAPSHOT_APPEND)
		return true;
	if (has_gone && gone > 0)
		return false;
	/* a rewrite of manifests names no files at all; a delete of nothing but rows adds delete files */
	return snapshot->op == FLOE_SNAPSHOT_REPLACE || has_added ||
		   floe_snapshot_counter(snapshot, FLOE_COUNTER_ADDED_FILES_SIZE, &added);
}

/*
 * What a snapshot took out is only in snapshots before it.  It is free for the
 * taking once those go; that all that stay come after it, or are it, is
 * certain where the snapshot is an ancestor of each.  Files that are held
 * otherwise (by a dead branch) are not counted: the sum is a lower bound.
 */
static bool
sum_expirable_bytes(const FloeLineage *lineage, const FloeExpiry *expiry, FloeArena *arena, int64 *sum)
{
	int *stay = floe_arena_alloc0(arena, (size_t) lineage->count * sizeof(int));
	int total = lineage->count - expiry->snapshot_count;
	int next = 0;

	*sum = 0;
	if (stay == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	if (expiry->snapshot_count == 0 || total == 0)
		return true;
	for (int i = 0; i < lineage->count; i++)
	{
		if (next < expiry->snapshot_count && lineage->snapshots[i].id == expiry->snapshot_ids[next])
			next++;
		else
			stay[i] = 1;
	}
	for (int i = lineage->count - 1; i >= 0; i--)
	{
		int at = lineage->order[i];
		int64 bytes;

		if (lineage->parent[at] < 0)
			continue;
		stay[lineage->parent[at]] += stay[at];
		if (stay[at] != total)
			continue;
		if (!removed_bytes(&lineage->snapshots[at], &bytes))
			return false;
		if (pg_add_s64_overflow(*sum, bytes, sum))
			return false;
	}
	return true;
}

/* As floe_sql_expirable; NULL where a summary does not say. */
Datum
floe_sql_expirable_bytes(PG_FUNCTION_ARGS)
{
	FloeRetention retention = retention_arguments(fcinfo);
	FloeArena *arena;
	FloeLineage lineage;
	FloeExpiry expiry = {0};
	FloeStatus st;
	int64 sum;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(6))
		PG_RETURN_NULL();
	arena = new_arena(SNAPSHOT_ARENA_LIMIT);
	if (!compute_expiry(PG_GETARG_BYTEA_PP(0), PG_GETARG_JSONB_P(1), &retention, to_ms(PG_GETARG_TIMESTAMPTZ(6)), arena,
						&lineage, &expiry, &st))
		floe_report(&st);
	if (!sum_expirable_bytes(&lineage, &expiry, arena, &sum))
		PG_RETURN_NULL();
	PG_RETURN_INT64(sum);
}
