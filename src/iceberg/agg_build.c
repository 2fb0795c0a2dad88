/*
 * agg_build.c: adds up the live entries of a manifest and writes the blob.
 *
 * While the manifest is read, counters are kept per partition and everything
 * that becomes a list is collected in arrays over all partitions; the arrays
 * are sorted once at the end.  The bytes that are written: agg.c.
 */
#include "floe.h"

#include "base/hash.h"
#include "common/int.h"
#include "iceberg/agg.h"

#include <stdlib.h>
#include <string.h>

typedef struct Partition
{
	const char *text;
	size_t text_len;
	uint32_t rank; /* in the order of the blob */
	bool used;     /* has a live entry */
	int64_t min_sequence_number, max_sequence_number;
	FloeSnapshotSet snapshots;
	FloeAggCount totals[4]; /* by FloeFileKind */
	int64_t stat_columns;
} Partition;

/* Something that becomes part of a list of one partition: sorted by partition, key, sequence number. */
typedef struct Item
{
	uint32_t partition; /* rank, after the partitions were sorted */
	uint64_t key;       /* size, sequence number or hash */
	int64_t sequence_number;
	int64_t rows;
} Item;

struct FloeAggBuilder
{
	FloeArena *arena;
	FloeAggOptions options;
	FloeManifestContent content;
	int32_t spec_id;
	bool unpartitioned;
	FloeHashKey hash_key;
	FloeIndex index; /* text -> partition */
	FloeBuf partitions;
	FloeBuf sizes;              /* of data files: key is the size */
	FloeBuf position, equality; /* of deletes that are not scoped: key is the sequence number */
	FloeBuf scoped;             /* key is the hash of the path */
	FloeBuf paths;              /* of data files: key is the hash; the partition is always 0 */
	FloeBuf list;               /* one list while it is written */
	uint32_t entries;
};

static Partition *
partition_at(FloeAggBuilder *b, uint32_t i)
{
	return (Partition *) (void *) b->partitions.data + i;
}

static uint32_t
npartitions(const FloeAggBuilder *b)
{
	return (uint32_t) (b->partitions.len / sizeof(Partition));
}

static bool
fail_no_memory(FloeStatus *st)
{
	return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for the aggregate of a manifest");
}

FloeAggBuilder *
floe_agg_builder_new(FloeArena *arena, const FloeAggOptions *options, FloeManifestContent content, int32_t spec_id,
					 bool unpartitioned)
{
	FloeAggBuilder *b = floe_arena_alloc0(arena, sizeof(*b));

	if (b == NULL || !floe_hash_random_key(&b->hash_key))
		return NULL;
	b->arena = arena;
	b->options = *options;
	b->content = content;
	b->spec_id = spec_id;
	b->unpartitioned = unpartitioned;
	floe_index_init(&b->index, arena);
	floe_buf_init(&b->partitions, FLOE_AGG_MAX_PARTITIONS * sizeof(Partition));
	floe_buf_init(&b->sizes, FLOE_AGG_MAX_ENTRIES * sizeof(Item));
	floe_buf_init(&b->position, FLOE_AGG_MAX_ENTRIES * sizeof(Item));
	floe_buf_init(&b->equality, FLOE_AGG_MAX_ENTRIES * sizeof(Item));
	floe_buf_init(&b->scoped, FLOE_AGG_MAX_ENTRIES * sizeof(Item));
	floe_buf_init(&b->paths, FLOE_AGG_MAX_ENTRIES * sizeof(Item));
	floe_buf_init(&b->list, SIZE_MAX / 4);
	return b;
}

void
floe_agg_builder_free(FloeAggBuilder *b)
{
	if (b == NULL)
		return;
	floe_buf_free(&b->partitions);
	floe_buf_free(&b->sizes);
	floe_buf_free(&b->position);
	floe_buf_free(&b->equality);
	floe_buf_free(&b->scoped);
	floe_buf_free(&b->paths);
	floe_buf_free(&b->list);
}

/* ---- collecting ---- */

bool
floe_agg_partition(FloeAggBuilder *b, const char *text, size_t len, uint32_t *number, FloeStatus *st)
{
	uint64_t hash = floe_hash_bytes(&b->hash_key, text, len);
	uint32_t probe = 0;
	Partition new = {.text_len = len};

	while (floe_index_next(&b->index, hash, &probe, number))
	{
		const Partition *old = partition_at(b, *number);

		if (old->text_len == len && memcmp(old->text, text, len) == 0)
			return true;
	}
	*number = npartitions(b);
	if (*number >= FLOE_AGG_MAX_PARTITIONS)
		return floe_fail(st, FLOE_ERR_TOO_LARGE, "the manifest has more than %d partitions", FLOE_AGG_MAX_PARTITIONS);
	new.text = floe_arena_text(b->arena, text, len);
	if (new.text == NULL || !floe_buf_append(&b->partitions, &new, sizeof(new)) ||
		!floe_index_add(&b->index, hash, *number))
		return fail_no_memory(st);
	return true;
}

static bool
add_item(FloeBuf *items, uint32_t partition, uint64_t key, const FloeAggEntry *entry)
{
	Item item = {partition, key, entry->sequence_number, entry->rows};

	return floe_buf_append(items, &item, sizeof(item));
}

static bool
add_to_lists(FloeAggBuilder *b, const FloeAggEntry *e)
{
	uint64_t sequence_number = (uint64_t) e->sequence_number;

	if (e->kind == FLOE_FILE_DATA)
		return add_item(&b->sizes, e->partition, (uint64_t) e->bytes, e) &&
			   (!b->options.keep_paths || add_item(&b->paths, 0, floe_hash_path(e->path, e->path_len), e));
	if (e->path != NULL)
		return add_item(&b->scoped, e->partition, floe_hash_path(e->path, e->path_len), e);
	if (e->kind == FLOE_FILE_EQUALITY_DELETES)
		return add_item(&b->equality, e->partition, sequence_number, e);
	return add_item(&b->position, e->partition, sequence_number, e);
}

bool
floe_agg_add(FloeAggBuilder *b, const FloeAggEntry *e, FloeStatus *st)
{
	Partition *p = partition_at(b, e->partition);
	FloeAggCount *t = &p->totals[e->kind];

	if (++b->entries > FLOE_AGG_MAX_ENTRIES)
		return floe_fail(st, FLOE_ERR_TOO_LARGE, "the manifest has more than %d entries", FLOE_AGG_MAX_ENTRIES);
	t->files++;
	if (pg_add_s64_overflow(t->rows, e->rows, &t->rows) || pg_add_s64_overflow(t->bytes, e->bytes, &t->bytes) ||
		pg_add_s64_overflow(p->stat_columns, e->stat_columns, &p->stat_columns))
		return floe_fail(st, FLOE_ERR_CORRUPT, "the rows or bytes of a partition exceed 64 bits");
	if (!p->used || e->sequence_number < p->min_sequence_number)
		p->min_sequence_number = e->sequence_number;
	if (!p->used || e->sequence_number > p->max_sequence_number)
		p->max_sequence_number = e->sequence_number;
	p->used = true;
	if (e->kind == FLOE_FILE_DATA &&
		!floe_snapshot_set_add(&p->snapshots, b->arena, e->file_sequence_number, e->snapshot_id))
		return fail_no_memory(st);
	if (!add_to_lists(b, e))
		return fail_no_memory(st);
	return true;
}

/* ---- sorting ---- */

static int
compare_partitions(const void *a, const void *b)
{
	const Partition *x = *(const Partition *const *) a;
	const Partition *y = *(const Partition *const *) b;
	int order = memcmp(x->text, y->text, Min(x->text_len, y->text_len));

	if (order != 0)
		return order;
	return (x->text_len > y->text_len) - (x->text_len < y->text_len);
}

static inline int
compare_items(const Item *a, const Item *b)
{
	if (a->partition != b->partition)
		return a->partition < b->partition ? -1 : 1;
	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return (a->sequence_number > b->sequence_number) - (a->sequence_number < b->sequence_number);
}

/* PostgreSQL's sort with the comparison compiled in. */
#define ST_SORT sort_items
#define ST_ELEMENT_TYPE Item
#define ST_COMPARE(a, b) compare_items(a, b)
#define ST_SCOPE static
#define ST_DECLARE
#define ST_DEFINE
#include "lib/sort_template.h"

/* The partitions with live entries in the order of their texts; NULL without memory. */
static Partition **
sort_partitions(FloeAggBuilder *b, uint32_t *count)
{
	uint32_t n = npartitions(b);
	Partition **sorted = floe_arena_alloc(b->arena, n * sizeof(*sorted));

	*count = 0;
	if (sorted == NULL)
		return NULL;
	for (uint32_t i = 0; i < n; i++)
		if (partition_at(b, i)->used)
			sorted[(*count)++] = partition_at(b, i);
	qsort(sorted, *count, sizeof(*sorted), compare_partitions);
	for (uint32_t i = 0; i < *count; i++)
		sorted[i]->rank = i;
	return sorted;
}

typedef struct ItemRange
{
	const Item *at;
	const Item *end;
} ItemRange;

static ItemRange
sort_list(FloeAggBuilder *b, FloeBuf *items, bool by_partition)
{
	Item *data = (Item *) (void *) items->data;
	size_t n = items->len / sizeof(Item);

	if (n == 0)
		return (ItemRange){NULL, NULL};
	for (size_t i = 0; by_partition && i < n; i++)
		data[i].partition = partition_at(b, data[i].partition)->rank;
	sort_items(data, n);
	return (ItemRange){data, data + n};
}

/* Takes the items of one partition off the front. */
static ItemRange
take_items(ItemRange *range, uint32_t rank)
{
	ItemRange taken = {range->at, range->at};

	while (range->at < range->end && range->at->partition == rank)
		range->at++;
	taken.end = range->at;
	return taken;
}

/* ---- writing ---- */

static bool
put_number(FloeBuf *out, uint64_t value)
{
	uint8_t bytes[10];
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		bytes[n++] = (uint8_t) (value | 0x80);
	bytes[n++] = (uint8_t) value;
	return floe_buf_append(out, bytes, n);
}

static bool
put_relative(FloeBuf *out, int64_t value, int64_t *last)
{
	int64_t difference = value - *last;

	*last = value;
	return put_number(out, (uint64_t) difference << 1 ^ (uint64_t) (difference >> 63));
}

static bool
put_word(FloeBuf *out, uint64_t value)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t) (value >> (8 * i));
	return floe_buf_append(out, bytes, sizeof(bytes));
}

/* The list that was just collected, with its size in front. */
static bool
put_list(FloeBuf *out, FloeBuf *list)
{
	bool done = !list->failed && put_number(out, list->len) && floe_buf_append(out, list->data, list->len);

	floe_buf_reset(list);
	return done;
}

static bool
put_snapshots(FloeBuf *out, const FloeSnapshotSet *set)
{
	int64_t last = 0;

	for (uint32_t i = 0; i < set->count; i++)
		if (!put_relative(out, set->refs[i].sequence_number, &last) ||
			!put_word(out, (uint64_t) set->refs[i].snapshot_id))
			return false;
	return true;
}

/* The cell of the fixed grid: eight per power of two, and each size below eight its own. */
static uint32_t
grid_cell(uint64_t size)
{
	int exponent;

	if (size < 8)
		return (uint32_t) size;
	exponent = 63 - __builtin_clzll(size);
	return (uint32_t) exponent << 3 | (uint32_t) (size >> (exponent - 3) & 7);
}

static bool
same_bucket(const FloeSizeBounds *bounds, bool exact, int64_t a, int64_t b)
{
	if (a == b || exact)
		return a == b;
	return grid_cell((uint64_t) a) == grid_cell((uint64_t) b) &&
		   (a < bounds->small_file_below) == (b < bounds->small_file_below) &&
		   (a > bounds->oversized_above) == (b > bounds->oversized_above);
}

/* sizes is sorted. */
static bool
put_sizes(FloeBuf *out, const FloeSizeBounds *bounds, ItemRange sizes)
{
	uint32_t distinct = 0;
	int64_t last = 0;

	for (const Item *i = sizes.at; i < sizes.end && distinct <= FLOE_AGG_EXACT_SIZES; i++)
		distinct += i == sizes.at || i->key != i[-1].key ? 1 : 0;
	while (sizes.at < sizes.end)
	{
		int64_t min = (int64_t) sizes.at->key, max = min, bytes = 0;
		uint64_t count = 0;

		/* the sum of all sizes was checked against overflow when they were added */
		for (; sizes.at < sizes.end &&
			   same_bucket(bounds, distinct <= FLOE_AGG_EXACT_SIZES, min, (int64_t) sizes.at->key);
			 sizes.at++, count++)
		{
			max = (int64_t) sizes.at->key;
			bytes += max;
		}
		if (!put_number(out, (uint64_t) (min - last) << 1 | (min == max ? 1 : 0)) ||
			(min < max && !put_number(out, (uint64_t) (max - min))) || !put_number(out, count) ||
			(min < max && !put_number(out, (uint64_t) (bytes - (int64_t) count * min))))
			return false;
		last = max;
	}
	return true;
}

/* items is sorted by sequence number. */
static bool
put_sequences(FloeBuf *out, ItemRange items)
{
	uint64_t last = 0;

	while (items.at < items.end)
	{
		uint64_t key = items.at->key, count = 0;

		for (; items.at < items.end && items.at->key == key; items.at++)
			count++;
		if (!put_number(out, key - last) || !put_number(out, count))
			return false;
		last = key;
	}
	return true;
}

static bool
put_hashes(FloeBuf *out, ItemRange items, bool with_rows)
{
	int64_t last = 0;

	for (; items.at < items.end; items.at++)
		if (!put_word(out, items.at->key) || !put_relative(out, items.at->sequence_number, &last) ||
			(with_rows && !put_number(out, (uint64_t) items.at->rows)))
			return false;
	return true;
}

static bool
put_text(FloeBuf *out, const Partition *before, const Partition *p)
{
	size_t shared = 0;

	while (before != NULL && shared < Min(before->text_len, p->text_len) && before->text[shared] == p->text[shared])
		shared++;
	return put_number(out, shared) && put_number(out, p->text_len - shared) &&
		   floe_buf_append(out, p->text + shared, p->text_len - shared);
}

static bool
put_totals(FloeBuf *out, const FloeAggCount *totals)
{
	return put_number(out, (uint64_t) totals->files) && put_number(out, (uint64_t) totals->rows) &&
		   put_number(out, (uint64_t) totals->bytes);
}

/* The sorted lists of all partitions, each being used up from its front. */
typedef struct SortedLists
{
	ItemRange sizes, position, equality, scoped, paths;
} SortedLists;

static bool
put_partition(FloeAggBuilder *b, const Partition *before, const Partition *p, SortedLists *lists, FloeBuf *out)
{
	const FloeAggCount *files = &p->totals[FLOE_FILE_DATA];

	if (!put_text(out, before, p) || !put_number(out, (uint64_t) p->min_sequence_number) ||
		!put_number(out, (uint64_t) (p->max_sequence_number - p->min_sequence_number)))
		return false;
	if (b->content == FLOE_MANIFEST_DATA)
		return put_number(out, (uint64_t) files->files) && put_number(out, (uint64_t) files->bytes) &&
			   put_number(out, (uint64_t) files->rows) && put_number(out, (uint64_t) p->stat_columns) &&
			   put_snapshots(&b->list, &p->snapshots) && put_list(out, &b->list) &&
			   put_sizes(&b->list, &b->options.bounds, take_items(&lists->sizes, p->rank)) && put_list(out, &b->list);
	return put_totals(out, &p->totals[FLOE_FILE_POSITION_DELETES]) &&
		   put_totals(out, &p->totals[FLOE_FILE_EQUALITY_DELETES]) &&
		   put_totals(out, &p->totals[FLOE_FILE_DELETION_VECTOR]) &&
		   put_sequences(&b->list, take_items(&lists->position, p->rank)) && put_list(out, &b->list) &&
		   put_sequences(&b->list, take_items(&lists->equality, p->rank)) && put_list(out, &b->list) &&
		   put_hashes(&b->list, take_items(&lists->scoped, p->rank), true) && put_list(out, &b->list);
}

bool
floe_agg_finish(FloeAggBuilder *b, int64_t added, int64_t existing, int64_t deleted, FloeBuf *blob, FloeStatus *st)
{
	uint64_t flags = (b->content == FLOE_MANIFEST_DELETES ? 1 : 0) | (b->unpartitioned ? 2 : 0) |
					 (b->options.keep_paths && b->content == FLOE_MANIFEST_DATA ? 4 : 0);
	uint32_t count;
	Partition **sorted = sort_partitions(b, &count);
	SortedLists lists;
	bool done;

	if (sorted == NULL)
		return fail_no_memory(st);
	lists.sizes = sort_list(b, &b->sizes, true);
	lists.position = sort_list(b, &b->position, true);
	lists.equality = sort_list(b, &b->equality, true);
	lists.scoped = sort_list(b, &b->scoped, true);
	lists.paths = sort_list(b, &b->paths, false);
	floe_buf_reset(blob);
	done = floe_buf_char(blob, 'F') && put_number(blob, FLOE_AGG_VERSION) && put_number(blob, flags) &&
		   put_number(blob, (uint64_t) b->spec_id) && put_number(blob, (uint64_t) b->options.bounds.small_file_below) &&
		   put_number(blob, (uint64_t) b->options.bounds.oversized_above) && put_number(blob, (uint64_t) added) &&
		   put_number(blob, (uint64_t) existing) && put_number(blob, (uint64_t) deleted) && put_number(blob, count);
	for (uint32_t i = 0; done && i < count; i++)
		done = put_partition(b, i > 0 ? sorted[i - 1] : NULL, sorted[i], &lists, blob);
	done = done && put_hashes(&b->list, lists.paths, false) && put_list(blob, &b->list);
	if (!done && blob->over_cap)
		return floe_fail(st, FLOE_ERR_TOO_LARGE, "the aggregate of the manifest is larger than %zu bytes", blob->cap);
	return done || fail_no_memory(st);
}
