/*
 * agg.c: the bytes of an aggregate, and reading them.
 *
 * Numbers are base-128 varints unless said otherwise, all of them at most
 * 2^63-1; a list is preceded by its size in bytes.
 *
 *	'F', version
 *	flags (1 deletes, 2 unpartitioned, 4 has_paths), spec id
 *	small_file_below, oversized_above
 *	entries added, existing, deleted
 *	number of partitions, then each of them, ordered by text:
 *		bytes shared with the text before, length of the rest, the rest
 *		min sequence number, max - min
 *		data:    files, bytes, records, stat columns
 *		         list of snapshots: zigzag difference of sequence number, id (8 bytes)
 *		         list of sizes: twice the distance of min from the max before, plus 1 if
 *		         all files have that size; then count, or max - min, count, bytes - count * min
 *		deletes: files, rows, bytes; three times (position, equality, vectors)
 *		         list of sequence numbers of position deletes: difference, count
 *		         the same of equality deletes
 *		         list of scoped deletes: hash (8 bytes), zigzag difference of sequence number, rows
 *	list of paths: hash (8 bytes), zigzag difference of sequence number
 *
 * Eight-byte numbers are little-endian.
 */
#include "floe.h"

#include "common/int.h"
#include "iceberg/agg.h"

#include <string.h>

/* ---- snapshots of a partition ---- */

static bool
grow_snapshots(FloeSnapshotSet *set, FloeArena *arena)
{
	uint32_t size = set->size > 0 ? set->size * 2 : 2;
	FloeSnapshotRef *refs = floe_arena_alloc(arena, size * sizeof(*refs));

	if (refs == NULL)
		return false;
	if (set->count > 0)
		memcpy(refs, set->refs, set->count * sizeof(*refs));
	set->refs = refs;
	set->size = size;
	return true;
}

bool
floe_snapshot_set_add(FloeSnapshotSet *set, FloeArena *arena, int64_t sequence_number, int64_t snapshot_id)
{
	uint32_t at = set->count;

	for (uint32_t i = 0; i < set->count; i++)
	{
		if (set->refs[i].snapshot_id != snapshot_id)
			continue;
		if (set->refs[i].sequence_number >= sequence_number)
			return true;
		/* newer than we knew: take it out, it goes in again below */
		memmove(&set->refs[i], &set->refs[i + 1], (set->count - i - 1) * sizeof(set->refs[0]));
		set->count--;
		at = set->count;
		break;
	}
	while (at > 0 && set->refs[at - 1].sequence_number < sequence_number)
		at--;
	if (at >= FLOE_AGG_SNAPSHOTS)
		return true;
	if (set->count == set->size && set->size < FLOE_AGG_SNAPSHOTS && !grow_snapshots(set, arena))
		return false;
	if (set->count == FLOE_AGG_SNAPSHOTS)
		set->count--;
	memmove(&set->refs[at + 1], &set->refs[at], (set->count - at) * sizeof(set->refs[0]));
	set->refs[at] = (FloeSnapshotRef){sequence_number, snapshot_id};
	set->count++;
	return true;
}

/* ---- reading ---- */

static bool
fail_damaged(FloeStatus *st)
{
	return floe_fail(st, FLOE_ERR_CORRUPT, "a stored aggregate is damaged");
}

static int64_t
read_number(FloeCursor *c)
{
	uint64_t value = floe_cursor_varint(c);

	if (value > INT64_MAX)
	{
		c->bad = true;
		return 0;
	}
	return (int64_t) value;
}

static int64_t
read_sum(FloeCursor *c, int64_t base)
{
	int64_t value = read_number(c);

	if (pg_add_s64_overflow(base, value, &value))
		c->bad = true;
	return c->bad ? 0 : value;
}

/* A number stored as its difference from the last one of the list. */
static int64_t
read_relative(FloeAggList *list)
{
	int64_t value = floe_cursor_zigzag(&list->at);

	if (pg_add_s64_overflow(list->last, value, &value) || value < 0)
		list->at.bad = true;
	else
		list->last = value;
	return list->last;
}

/* Little-endian; written out, because compilers make one load of it. */
static uint64_t
read_word(FloeCursor *c)
{
	const uint8_t *p = floe_cursor_take(c, 8);

	if (p == NULL)
		return 0;
	return (uint64_t) p[0] | (uint64_t) p[1] << 8 | (uint64_t) p[2] << 16 | (uint64_t) p[3] << 24 |
		   (uint64_t) p[4] << 32 | (uint64_t) p[5] << 40 | (uint64_t) p[6] << 48 | (uint64_t) p[7] << 56;
}

static void
read_list(FloeCursor *c, FloeAggList *list)
{
	uint64_t len = floe_cursor_varint(c);
	const uint8_t *data = floe_cursor_take(c, len > SIZE_MAX ? SIZE_MAX : (size_t) len);

	list->last = 0;
	floe_cursor_init(&list->at, data != NULL ? data : c->pos, data != NULL ? (size_t) len : 0);
}

bool
floe_agg_list_done(const FloeAggList *list)
{
	return !list->at.bad && list->at.pos == list->at.end;
}

bool
floe_agg_next_snapshot(FloeAggList *list, FloeSnapshotRef *ref)
{
	if (floe_cursor_left(&list->at) == 0)
		return false;
	ref->sequence_number = read_relative(list);
	ref->snapshot_id = (int64_t) read_word(&list->at);
	return !list->at.bad;
}

bool
floe_agg_next_size(FloeAggList *list, FloeAggBucket *bucket)
{
	FloeCursor *c = &list->at;
	uint64_t head;
	int64_t least;

	if (floe_cursor_left(c) == 0)
		return false;
	head = floe_cursor_varint(c);
	if (pg_add_s64_overflow(list->last, (int64_t) (head >> 1), &bucket->min))
		c->bad = true;
	bucket->max = (head & 1) != 0 ? bucket->min : read_sum(c, bucket->min);
	bucket->count = read_number(c);
	if (c->bad || bucket->count == 0 || pg_mul_s64_overflow(bucket->count, bucket->min, &least))
	{
		c->bad = true;
		return false;
	}
	bucket->bytes = (head & 1) != 0 ? least : read_sum(c, least);
	list->last = bucket->max;
	return !c->bad;
}

bool
floe_agg_next_sequence(FloeAggList *list, FloeAggSequence *sequence)
{
	if (floe_cursor_left(&list->at) == 0)
		return false;
	sequence->sequence_number = list->last = read_sum(&list->at, list->last);
	sequence->count = read_number(&list->at);
	return !list->at.bad;
}

bool
floe_agg_next_scoped(FloeAggList *list, FloeAggScoped *scoped)
{
	if (floe_cursor_left(&list->at) == 0)
		return false;
	scoped->path_hash = read_word(&list->at);
	scoped->sequence_number = read_relative(list);
	scoped->rows = read_number(&list->at);
	return !list->at.bad;
}

bool
floe_agg_next_path(FloeAggList *list, FloeAggPath *path)
{
	if (floe_cursor_left(&list->at) == 0)
		return false;
	path->path_hash = read_word(&list->at);
	path->sequence_number = read_relative(list);
	return !list->at.bad;
}

bool
floe_agg_open(FloeAggReader *reader, const void *blob, size_t len, FloeStatus *st)
{
	FloeAggHeader *h = &reader->header;
	FloeCursor *c = &reader->cursor;
	uint64_t version, flags;
	int64_t spec_id, npartitions;

	memset(reader, 0, sizeof(*reader));
	floe_buf_init(&reader->text, 1024 * 1024);
	floe_cursor_init(c, blob, len);
	if (floe_cursor_u8(c) != 'F')
		return fail_damaged(st);
	version = floe_cursor_varint(c);
	if (c->bad)
		return fail_damaged(st);
	if (version != FLOE_AGG_VERSION)
		return floe_fail(st, FLOE_ERR_UNSUPPORTED, "a stored aggregate has version %llu", (unsigned long long) version);
	flags = floe_cursor_varint(c);
	h->content = (flags & 1) != 0 ? FLOE_MANIFEST_DELETES : FLOE_MANIFEST_DATA;
	h->unpartitioned = (flags & 2) != 0;
	h->has_paths = (flags & 4) != 0;
	spec_id = read_number(c);
	h->bounds.small_file_below = read_number(c);
	h->bounds.oversized_above = read_number(c);
	h->added = read_number(c);
	h->existing = read_number(c);
	h->deleted = read_number(c);
	npartitions = read_number(c);
	if (c->bad || flags > 7 || spec_id > INT32_MAX || npartitions > FLOE_AGG_MAX_PARTITIONS)
		return fail_damaged(st);
	h->spec_id = (int32_t) spec_id;
	h->npartitions = (uint32_t) npartitions;
	return true;
}

void
floe_agg_close(FloeAggReader *reader)
{
	floe_buf_free(&reader->text);
}

/* Texts are stored without what they share with the one before. */
static bool
read_text(FloeAggReader *reader, FloeAggPartition *partition, FloeStatus *st)
{
	FloeCursor *c = &reader->cursor;
	uint64_t shared = floe_cursor_varint(c);
	uint64_t len = floe_cursor_varint(c);
	const uint8_t *rest = floe_cursor_take(c, len > SIZE_MAX ? SIZE_MAX : (size_t) len);

	if (rest == NULL || shared > reader->text.len)
		return fail_damaged(st);
	reader->text.len = (size_t) shared;
	if (!floe_buf_append(&reader->text, rest, (size_t) len))
		return reader->text.over_cap ? fail_damaged(st)
									 : floe_fail(st, FLOE_ERR_NOMEM, "out of memory for a stored aggregate");
	partition->text = reader->text.data;
	partition->text_len = reader->text.len;
	return true;
}

static void
read_deletes(FloeCursor *c, FloeAggCount *deletes)
{
	deletes->files = read_number(c);
	deletes->rows = read_number(c);
	deletes->bytes = read_number(c);
}

bool
floe_agg_next(FloeAggReader *reader, FloeAggPartition *partition, FloeStatus *st)
{
	FloeCursor *c = &reader->cursor;

	memset(partition, 0, sizeof(*partition));
	if (reader->next >= reader->header.npartitions)
		return floe_fail(st, FLOE_ERR_INTERNAL, "reading behind the last partition of an aggregate");
	reader->next++;
	if (!read_text(reader, partition, st))
		return false;
	partition->min_sequence_number = read_number(c);
	partition->max_sequence_number = read_sum(c, partition->min_sequence_number);
	if (reader->header.content == FLOE_MANIFEST_DATA)
	{
		partition->files = read_number(c);
		partition->bytes = read_number(c);
		partition->records = read_number(c);
		partition->stat_columns = read_number(c);
		read_list(c, &partition->snapshots);
		read_list(c, &partition->sizes);
	}
	else
	{
		read_deletes(c, &partition->position);
		read_deletes(c, &partition->equality);
		read_deletes(c, &partition->vectors);
		read_list(c, &partition->position_sequences);
		read_list(c, &partition->equality_sequences);
		read_list(c, &partition->scoped);
	}
	return !c->bad || fail_damaged(st);
}

bool
floe_agg_paths(FloeAggReader *reader, FloeAggList *paths, FloeStatus *st)
{
	if (reader->next != reader->header.npartitions)
		return floe_fail(st, FLOE_ERR_INTERNAL, "paths of an aggregate asked for before its last partition");
	read_list(&reader->cursor, paths);
	if (reader->cursor.bad || floe_cursor_left(&reader->cursor) > 0 ||
		(!reader->header.has_paths && !floe_agg_list_done(paths)))
		return fail_damaged(st);
	return true;
}
