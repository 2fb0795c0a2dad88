/*
 * health.c: merging aggregates into the health of a table.
 */
#include "floe.h"

#include "base/hash.h"
#include "common/int.h"
#include "iceberg/health.h"
#include "iceberg/scoped.h"

#include <math.h>
#include <string.h>

#define FIRST_ROWS 64

/* Deletes of one partition that are not limited to a file, by sequence number. */
typedef struct Sequence
{
	struct Sequence *next;
	int64_t sequence_number;
	int64_t count;
	bool equality;
} Sequence;

typedef struct Row
{
	FloeHealthPartition health;
	Sequence *sequences;
	int64_t named_files; /* data files that its deletes are limited to */
	bool global;         /* its equality deletes apply to the whole table */
} Row;

/* The manifests of one content and spec. */
typedef struct Group
{
	FloeManifestContent content;
	int32_t spec_id;
	int64_t manifests, bytes;
} Group;

/* A growing array; outgrown ones stay in the arena. */
typedef struct Pointers
{
	void **items;
	uint32_t count, size;
} Pointers;

struct FloeHealth
{
	FloeArena *arena;
	FloeHealthOptions options;
	FloeHashKey hash_key;
	FloeIndex row_index;
	Pointers rows; /* Row */
	FloeIndex group_index;
	Pointers groups; /* Group */
	FloeScopedDeletes scoped;
	bool data_begun;    /* no more delete manifests */
	bool paths_missing; /* a data manifest with live files has no paths */
	int64_t stat_columns;
	FloeHealthTotals totals;
};

static bool
fail_no_memory(FloeStatus *st)
{
	return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for the health of a table");
}

static bool
fail_damaged(FloeStatus *st)
{
	return floe_fail(st, FLOE_ERR_CORRUPT, "a stored aggregate is damaged");
}

/* Adds, and remembers in bad that it did not fit. */
static inline void
add(int64_t *sum, int64_t value, bool *bad)
{
	if (pg_add_s64_overflow(*sum, value, sum))
		*bad = true;
}

FloeHealth *
floe_health_new(FloeArena *arena, const FloeHealthOptions *options, FloeStatus *st)
{
	FloeHealth *h = floe_arena_alloc0(arena, sizeof(*h));

	if (options->target_file_bytes <= 0 || options->target_manifest_bytes <= 0)
	{
		floe_fail(st, FLOE_ERR_INTERNAL, "target sizes must be positive");
		return NULL;
	}
	if (h == NULL || !floe_hash_random_key(&h->hash_key))
	{
		fail_no_memory(st);
		return NULL;
	}
	h->arena = arena;
	h->options = *options;
	h->scoped.arena = arena;
	floe_index_init(&h->row_index, arena);
	floe_index_init(&h->group_index, arena);
	return h;
}

/* ---- rows and groups ---- */

static bool
push(FloeArena *arena, Pointers *pointers, void *item)
{
	if (pointers->count == pointers->size)
	{
		uint32_t size = pointers->size > 0 ? pointers->size * 2 : FIRST_ROWS;
		void **items = floe_arena_alloc(arena, size * sizeof(void *));

		if (items == NULL)
			return false;
		if (pointers->count > 0)
			memcpy(items, pointers->items, pointers->count * sizeof(void *));
		pointers->items = items;
		pointers->size = size;
	}
	pointers->items[pointers->count++] = item;
	return true;
}

static Row *
row_at(const FloeHealth *h, uint32_t i)
{
	return h->rows.items[i];
}

static Group *
group_at(const FloeHealth *h, uint32_t i)
{
	return h->groups.items[i];
}

static Row *
find_row(FloeHealth *h, int32_t spec_id, const FloeAggPartition *p, uint32_t *number)
{
	/* the same text in two specs is two partitions */
	FloeHashKey key = {h->hash_key.k0, h->hash_key.k1 ^ (uint32_t) spec_id};
	uint64_t hash = floe_hash_bytes(&key, p->text, p->text_len);
	uint32_t probe = 0;
	Row *row;

	while (floe_index_next(&h->row_index, hash, &probe, number))
	{
		row = row_at(h, *number);
		if (row->health.spec_id == spec_id && row->health.partition_len == p->text_len &&
			memcmp(row->health.partition, p->text, p->text_len) == 0)
			return row;
	}
	*number = h->rows.count;
	row = floe_arena_alloc0(h->arena, sizeof(*row));
	if (row == NULL)
		return NULL;
	row->health.spec_id = spec_id;
	row->health.partition = floe_arena_text(h->arena, p->text, p->text_len);
	row->health.partition_len = p->text_len;
	row->health.min_sequence_number = INT64_MAX;
	if (row->health.partition == NULL || !push(h->arena, &h->rows, row) ||
		!floe_index_add(&h->row_index, hash, *number))
		return NULL;
	return row;
}

static Group *
find_group(FloeHealth *h, FloeManifestContent content, int32_t spec_id)
{
	const int32_t name[] = {(int32_t) content, spec_id};
	uint64_t hash = floe_hash_bytes(&h->hash_key, name, sizeof(name));
	uint32_t probe = 0, number;
	Group *group;

	while (floe_index_next(&h->group_index, hash, &probe, &number))
	{
		group = group_at(h, number);
		if (group->content == content && group->spec_id == spec_id)
			return group;
	}
	number = h->groups.count;
	group = floe_arena_alloc0(h->arena, sizeof(*group));
	if (group == NULL || !push(h->arena, &h->groups, group) || !floe_index_add(&h->group_index, hash, number))
		return NULL;
	group->content = content;
	group->spec_id = spec_id;
	return group;
}

/* ---- data ---- */

/*
 * How many files of the bucket, and how many bytes, are below the limit.
 * False when the limit falls inside the bucket: then sizes are taken to be
 * spread evenly, and both sides have at least one file.
 */
static bool
split_bucket(const FloeAggBucket *b, int64_t limit, int64_t *count, int64_t *bytes)
{
	double part, share;

	if (limit <= b->min || limit > b->max)
	{
		*count = limit <= b->min ? 0 : b->count;
		*bytes = limit <= b->min ? 0 : b->bytes;
		return true;
	}
	part = (double) (limit - b->min) / (double) (b->max - b->min);
	*count = Max(1, Min(b->count - 1, (int64_t) ((double) b->count * part + 0.5)));
	share = (double) *count * ((double) b->min + (double) limit) / 2;
	*bytes = share < (double) b->bytes ? (int64_t) share : b->bytes;
	return false;
}

static bool
merge_sizes(FloeHealth *h, FloeAggPartition *p, FloeHealthPartition *row, FloeStatus *st)
{
	const FloeSizeBounds *bounds = &h->options.bounds;
	int64_t above = bounds->oversized_above;
	int64_t files = 0, sum = 0;
	bool bad = false;
	FloeAggBucket b;

	while (floe_agg_next_size(&p->sizes, &b))
	{
		int64_t count, bytes;

		/* a bucket of two sizes has two files */
		if (b.min != b.max && b.count == 1)
			return fail_damaged(st);
		if (!split_bucket(&b, bounds->small_file_below, &count, &bytes))
			row->inexact = true;
		add(&row->small_file_count, count, &bad);
		add(&row->small_file_bytes, bytes, &bad);
		if (!split_bucket(&b, above < INT64_MAX ? above + 1 : above, &count, &bytes))
			row->inexact = true;
		add(&row->oversized_file_count, b.count - count, &bad);
		add(&row->oversized_file_bytes, b.bytes - bytes, &bad);
		add(&files, b.count, &bad);
		add(&sum, b.bytes, &bad);
	}
	return (floe_agg_list_done(&p->sizes) && !bad && files == p->files && sum == p->bytes) || fail_damaged(st);
}

static bool
merge_data(FloeHealth *h, FloeAggPartition *p, Row *r, FloeStatus *st)
{
	FloeHealthPartition *row = &r->health;
	FloeSnapshotRef ref;
	bool bad = false;

	add(&row->data_file_count, p->files, &bad);
	add(&row->data_bytes, p->bytes, &bad);
	add(&row->record_count, p->records, &bad);
	add(&h->stat_columns, p->stat_columns, &bad);
	if (bad || p->files == 0)
		return fail_damaged(st);
	row->manifest_count++;
	row->min_sequence_number = Min(row->min_sequence_number, p->min_sequence_number);
	row->max_sequence_number = Max(row->max_sequence_number, p->max_sequence_number);
	while (floe_agg_next_snapshot(&p->snapshots, &ref))
		if (!floe_snapshot_set_add(&row->snapshots, h->arena, ref.sequence_number, ref.snapshot_id))
			return fail_no_memory(st);
	if (!floe_agg_list_done(&p->snapshots))
		return fail_damaged(st);
	return merge_sizes(h, p, row, st);
}

static bool
offer_paths(FloeHealth *h, FloeAggReader *reader, FloeStatus *st)
{
	FloeAggList paths;
	FloeAggPath path;

	if (!floe_agg_paths(reader, &paths, st))
		return false;
	if (h->scoped.count == 0)
		return true;
	while (floe_agg_next_path(&paths, &path))
		floe_scoped_offer(&h->scoped, path.path_hash, path.sequence_number);
	return floe_agg_list_done(&paths) || fail_damaged(st);
}

/* ---- deletes ---- */

static bool
merge_sequences(FloeHealth *h, FloeAggList *list, bool equality, Row *r, int64_t *files, FloeStatus *st)
{
	FloeAggSequence s;
	bool bad = false;

	while (floe_agg_next_sequence(list, &s))
	{
		Sequence *node = floe_arena_alloc(h->arena, sizeof(*node));

		if (node == NULL)
			return fail_no_memory(st);
		*node = (Sequence){r->sequences, s.sequence_number, s.count, equality};
		r->health.last_delete_sequence_number = Max(r->health.last_delete_sequence_number, s.sequence_number);
		r->sequences = node;
		add(files, s.count, &bad);
	}
	return (floe_agg_list_done(list) && !bad) || fail_damaged(st);
}

static bool
merge_scoped(FloeHealth *h, FloeAggList *list, uint32_t number, Row *r, int64_t *files, FloeStatus *st)
{
	FloeAggScoped s;

	for (; floe_agg_next_scoped(list, &s); (*files)++)
	{
		if (!floe_scoped_add(&h->scoped, s.path_hash, s.sequence_number, number))
			return fail_no_memory(st);
		r->health.last_delete_sequence_number = Max(r->health.last_delete_sequence_number, s.sequence_number);
	}
	return floe_agg_list_done(list) || fail_damaged(st);
}

static bool
merge_deletes(FloeHealth *h, FloeAggPartition *p, Row *r, uint32_t number, FloeStatus *st)
{
	FloeHealthPartition *row = &r->health;
	const FloeAggCount *from[] = {&p->position, &p->equality, &p->vectors};
	FloeHealthDeletes *to[] = {&row->position_deletes, &row->equality_deletes, &row->deletion_vectors};
	int64_t positions = 0, equalities = 0, expected = 0;
	bool bad = false;

	for (size_t i = 0; i < lengthof(from); i++)
	{
		add(&to[i]->files, from[i]->files, &bad);
		add(&to[i]->rows, from[i]->rows, &bad);
		add(&row->delete_row_count, from[i]->rows, &bad);
		add(&row->delete_bytes, from[i]->bytes, &bad);
	}
	if (!merge_sequences(h, &p->position_sequences, false, r, &positions, st) ||
		!merge_sequences(h, &p->equality_sequences, true, r, &equalities, st) ||
		!merge_scoped(h, &p->scoped, number, r, &positions, st))
		return false;
	add(&expected, p->position.files, &bad);
	add(&expected, p->vectors.files, &bad);
	return (!bad && positions == expected && equalities == p->equality.files) || fail_damaged(st);
}

/* ---- a manifest ---- */

static bool
merge_partitions(FloeHealth *h, FloeAggReader *reader, FloeStatus *st)
{
	const FloeAggHeader *header = &reader->header;
	bool data = header->content == FLOE_MANIFEST_DATA;
	FloeAggPartition p;

	for (uint32_t i = 0; i < header->npartitions; i++)
	{
		uint32_t number;
		Row *r;

		if (!floe_agg_next(reader, &p, st))
			return false;
		r = find_row(h, header->spec_id, &p, &number);
		if (r == NULL)
			return fail_no_memory(st);
		r->global = header->unpartitioned;
		if (data ? !merge_data(h, &p, r, st) : !merge_deletes(h, &p, r, number, st))
			return false;
	}
	return offer_paths(h, reader, st);
}

static bool
merge_manifest(FloeHealth *h, FloeManifestContent content, int32_t spec_id, int64_t length, FloeAggReader *reader,
			   FloeStatus *st)
{
	const FloeAggHeader *header = &reader->header;
	Group *group = find_group(h, content, spec_id);
	bool bad = false;

	if (header->content != content || header->spec_id != spec_id)
		return floe_fail(st, FLOE_ERR_CORRUPT, "a stored aggregate is not that of the manifest");
	if (group == NULL)
		return fail_no_memory(st);
	if (content == FLOE_MANIFEST_DATA && !h->data_begun)
	{
		h->data_begun = true;
		if (!floe_scoped_sort(&h->scoped))
			return fail_no_memory(st);
	}
	if (content == FLOE_MANIFEST_DATA && !header->has_paths && header->npartitions > 0)
		h->paths_missing = true;
	group->manifests++;
	add(&group->bytes, length, &bad);
	add(&h->totals.manifest_bytes, length, &bad);
	add(&h->totals.deleted_entry_count, header->deleted, &bad);
	if (bad)
		return floe_fail(st, FLOE_ERR_CORRUPT, "the sizes of all manifests exceed 64 bits");
	return merge_partitions(h, reader, st);
}

bool
floe_health_add(FloeHealth *h, FloeManifestContent content, int32_t spec_id, int64_t manifest_length, const void *blob,
				size_t len, FloeStatus *st)
{
	FloeAggReader reader;
	bool done;

	if (content == FLOE_MANIFEST_DELETES && h->data_begun)
		return floe_fail(st, FLOE_ERR_INTERNAL, "delete manifests must be added before data manifests");
	done = floe_agg_open(&reader, blob, len, st) && merge_manifest(h, content, spec_id, manifest_length, &reader, st);
	floe_agg_close(&reader);
	return done;
}

/* ---- finishing ---- */

static int64_t
divide_up(int64_t value, int64_t by)
{
	return value / by + (value % by > 0 ? 1 : 0);
}

static double
ratio(int64_t value, int64_t by)
{
	return by > 0 ? (double) value / (double) by : NAN;
}

/* Deletes that can apply to no live data file (docs/metrics.md, "Dangling"); and to how many data files they are limited. */
static void
join_deletes(FloeHealth *h)
{
	int64_t first = INT64_MAX; /* the smallest sequence number of all live data files */

	for (uint32_t i = 0; i < h->rows.count; i++)
		first = Min(first, row_at(h, i)->health.min_sequence_number);
	for (uint32_t i = 0; i < h->rows.count; i++)
	{
		Row *r = row_at(h, i);
		int64_t least = r->health.min_sequence_number;

		for (const Sequence *s = r->sequences; s != NULL; s = s->next)
		{
			bool dangling =
				s->equality ? s->sequence_number <= (r->global ? first : least) : s->sequence_number < least;

			r->health.dangling_delete_count += dangling ? s->count : 0;
		}
	}
	floe_scoped_settle(&h->scoped);
	for (uint32_t i = 0; i < h->scoped.count; i++)
	{
		const FloeScopedDelete *s = &h->scoped.deletes[i];
		Row *r = row_at(h, s->owner);

		r->health.dangling_delete_count += s->data_sequence_number > s->sequence_number ? 1 : 0;
		r->named_files += floe_scoped_is_first(&h->scoped, i) ? 1 : 0;
	}
}

static FloeHealthPartition *
finish_row(const FloeHealthOptions *options, Row *r)
{
	FloeHealthPartition *row = &r->health;
	/* so many files will rewritten position deletes be, at least; a data file that has a deletion vector has none of them */
	int64_t least = options->deletes_per_file ? Max(1, r->named_files - row->deletion_vectors.files) : 1;

	row->excess_delete_file_count = Max(0, row->position_deletes.files - least);
	row->average_file_bytes = ratio(row->data_bytes, row->data_file_count);
	row->delete_ratio = ratio(row->delete_row_count, row->record_count);
	if (row->small_file_count >= options->min_input_files ||
		(row->small_file_count > 1 && row->small_file_bytes > options->target_file_bytes))
	{
		row->excess_file_count =
			Max(0, row->small_file_count - divide_up(row->small_file_bytes, options->target_file_bytes));
		row->rewrite_file_count = row->small_file_count;
		row->rewrite_bytes = row->small_file_bytes;
	}
	/* one that is too large is split, and so taken along, whatever else there is */
	row->rewrite_file_count += row->oversized_file_count;
	row->rewrite_bytes += row->oversized_file_bytes;
	return row;
}

static bool
sum_rows(FloeHealth *h, FloeStatus *st)
{
	FloeHealthTotals *t = &h->totals;
	int64_t most = 0, appearances = 0, deleted_rows = 0;
	bool bad = false;

	for (uint32_t i = 0; i < h->rows.count; i++)
	{
		FloeHealthPartition *row = finish_row(&h->options, row_at(h, i));
		const struct
		{
			int64_t *sum;
			int64_t value;
		} sums[] = {
			{&t->data_file_count, row->data_file_count},
			{&t->data_bytes, row->data_bytes},
			{&t->record_count, row->record_count},
			{&t->small_file_count, row->small_file_count},
			{&t->small_file_bytes, row->small_file_bytes},
			{&t->rewrite_file_count, row->rewrite_file_count},
			{&t->rewrite_bytes, row->rewrite_bytes},
			{&t->oversized_file_count, row->oversized_file_count},
			{&t->oversized_file_bytes, row->oversized_file_bytes},
			{&t->position_deletes.files, row->position_deletes.files},
			{&t->position_deletes.rows, row->position_deletes.rows},
			{&t->equality_deletes.files, row->equality_deletes.files},
			{&t->equality_deletes.rows, row->equality_deletes.rows},
			{&t->deletion_vectors.files, row->deletion_vectors.files},
			{&t->deletion_vectors.rows, row->deletion_vectors.rows},
			{&t->delete_bytes, row->delete_bytes},
			{&t->dangling_delete_count, row->dangling_delete_count},
			{&deleted_rows, row->delete_row_count},
			{&appearances, row->manifest_count},
		};

		for (size_t s = 0; s < lengthof(sums); s++)
			add(sums[s].sum, sums[s].value, &bad);
		t->excess_file_count += row->excess_file_count;
		t->excess_delete_file_count += row->excess_delete_file_count;
		t->partition_count += row->data_file_count > 0 ? 1 : 0;
		t->inexact |= row->inexact;
		most = Max(most, row->data_file_count);
	}
	if (bad)
		return floe_fail(st, FLOE_ERR_CORRUPT, "the rows or bytes of the table exceed 64 bits");
	t->average_file_bytes = ratio(t->data_bytes, t->data_file_count);
	t->delete_ratio = ratio(deleted_rows, t->record_count);
	t->partition_skew = (double) most / ratio(t->data_file_count, t->partition_count);
	t->manifest_spread = ratio(appearances, t->partition_count);
	t->stat_column_count = ratio(h->stat_columns, t->data_file_count);
	return true;
}

bool
floe_health_finish(FloeHealth *h, FloeHealthTotals *totals, FloeStatus *st)
{
	FloeHealthTotals *t = &h->totals;

	if (!h->data_begun && !floe_scoped_sort(&h->scoped))
		return fail_no_memory(st);
	h->data_begun = true;
	t->needs_paths = h->paths_missing && h->scoped.count > 0;
	join_deletes(h);
	if (!sum_rows(h, st))
		return false;
	for (uint32_t i = 0; i < h->groups.count; i++)
	{
		const Group *g = group_at(h, i);

		t->manifest_count += g->manifests;
		*(g->content == FLOE_MANIFEST_DATA ? &t->data_manifest_count : &t->delete_manifest_count) += g->manifests;
		t->excess_manifest_count += Max(0, g->manifests - divide_up(g->bytes, h->options.target_manifest_bytes));
	}
	t->partition_rows = h->rows.count;
	*totals = *t;
	return true;
}

const FloeHealthPartition *
floe_health_partition(const FloeHealth *h, uint32_t i)
{
	return &row_at(h, i)->health;
}
