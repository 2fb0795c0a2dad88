/*
 * meta_events.c: from events of the JSON scanner to fields of structs.
 *
 * Knows nothing of Iceberg: what there is to read is in the shapes.  Apart
 * from them because everything a remote document can do wrong (types, ranges,
 * duplicates, sizes) is checked here, once, with the place in the message.
 */
#include "floe.h"

#include "iceberg/meta_private.h"

#include <stdio.h>
#include <string.h>

/* One more element; fails beyond the limit of its kind. */
static bool
count_element(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	const FloeMetaShape *shape = frame->shape;
	size_t offset = shape->limit != 0 ? shape->limit : offsetof(FloeMetaLimits, items);
	int most = *(const int *) ((const char *) &parser->limits + offset);
	char why[64];

	if (frame->index >= most)
	{
		frame->index = 0; /* the place is the list itself */
		frame->name = NULL;
		snprintf(why, sizeof(why), "has more than %d entries", most);
		return floe_meta_fail(parser, st, FLOE_ERR_TOO_LARGE, why);
	}
	frame->index++;
	return true;
}

/* What is known about the value that comes now; NULL: failed. */
static inline const FloeMetaKey *
expected(FloeMetaParser *parser, FloeStatus *st)
{
	FloeMetaFrame *frame = parser->top;

	if (frame->key == NULL)
		return count_element(parser, frame, st) ? &frame->shape->element : NULL;
	return frame->key;
}

/* The value is there and right; a key of an object is remembered as such. */
static inline bool
accepted(FloeMetaParser *parser)
{
	FloeMetaFrame *frame = parser->top;
	const FloeMetaShape *shape = frame->shape;

	if (shape->keys != NULL)
		frame->has |= UINT64CONST(1) << (frame->key - shape->keys);
	return true;
}

static bool
wrong_type(FloeMetaParser *parser, const FloeMetaKey *key, FloeStatus *st)
{
	static const char *const why[] = {
		[FLOE_WANT_LONG] = "must be an integer of 64 bits",
		[FLOE_WANT_INT] = "must be an integer of 32 bits",
		[FLOE_WANT_BOOL] = "must be true or false",
		[FLOE_WANT_STRING] = "must be a string",
		[FLOE_WANT_WORD] = "must be a string",
		[FLOE_WANT_TYPE] = "must be a type",
		[FLOE_WANT_OBJECT] = "must be an object",
		[FLOE_WANT_ARRAY] = "must be an array",
	};

	return floe_meta_fail(parser, st, FLOE_ERR_CORRUPT, why[key->want]);
}

/* Where a value goes: into the record, or into a new element; NULL: failed. */
static void *
target(FloeMetaParser *parser, const FloeMetaKey *key, FloeStatus *st)
{
	FloeMetaFrame *frame = parser->top;
	const FloeMetaShape *shape = frame->shape;

	if (shape->keys == NULL)
		return shape->item(parser, frame, st);
	return (char *) frame->record + key->offset;
}

/* What floe does not read has a location, too: fails as soon as that is known, at the latest with the table's end. */
static bool
check_version(FloeMetaParser *parser, bool at_end, FloeStatus *st)
{
	if (!parser->is_other_version || (!at_end && parser->meta->location == NULL))
		return true;
	parser->reported = true;
	return floe_fail(st, FLOE_ERR_UNSUPPORTED, "table uses format version %lld, floe reads 1 to 3",
					 (long long) parser->other_version);
}

static bool
read_version(FloeMetaParser *parser, int64 version, FloeStatus *st)
{
	if (version >= 1 && version <= 3)
		return true;
	parser->is_other_version = true;
	parser->other_version = version;
	return check_version(parser, false, st);
}

static bool
on_number(void *ctx, FloeJscanNumber kind, int64_t value, FloeStatus *st)
{
	FloeMetaParser *parser = ctx;
	const FloeMetaKey *key = expected(parser, st);
	void *to;

	if (key == NULL)
		return false;
	if (key->want == FLOE_WANT_SKIP || key->want == FLOE_WANT_COUNTER)
		return true;
	if ((key->want != FLOE_WANT_LONG && key->want != FLOE_WANT_INT) || kind != FLOE_JSCAN_INTEGER ||
		(key->want == FLOE_WANT_INT && (value < PG_INT32_MIN || value > PG_INT32_MAX)))
		return wrong_type(parser, key, st);
	if ((key->flags & (FLOE_META_NOT_NEGATIVE | FLOE_META_TIME)) != 0 && value < 0)
		return floe_meta_fail(parser, st, FLOE_ERR_CORRUPT, "must not be negative");
	if ((key->flags & FLOE_META_TIME) != 0 && value > FLOE_META_MAX_TIME_MS)
		return floe_meta_fail(parser, st, FLOE_ERR_CORRUPT, "is not a time in milliseconds");
	if ((key->flags & FLOE_META_POSITIVE) != 0 && value <= 0)
		return floe_meta_fail(parser, st, FLOE_ERR_CORRUPT, "must be greater than 0");
	if ((key->flags & FLOE_META_VERSION) != 0 && !read_version(parser, value, st))
		return false;
	to = target(parser, key, st);
	if (to == NULL)
		return false;
	if (key->want == FLOE_WANT_INT)
		*(int32 *) to = (int32) value;
	else
		*(int64 *) to = value;
	return accepted(parser);
}

/* A counter that is not a non-negative integer stays unknown. */
static void
read_counter(FloeMetaParser *parser, const FloeMetaKey *key, const char *text, size_t len)
{
	uint64 value = 0;

	if (len == 0)
		return;
	for (size_t i = 0; i < len; i++)
	{
		if (text[i] < '0' || text[i] > '9' || value > PG_INT64_MAX / 10)
			return;
		value = value * 10 + (uint64) (text[i] - '0');
	}
	if (value > PG_INT64_MAX)
		return;
	parser->counters[key->offset] = (int64) value;
	parser->known |= (uint32) 1 << key->offset;
}

static bool
read_string(FloeMetaParser *parser, const FloeMetaKey *key, const char *text, size_t len, FloeStatus *st)
{
	char *copy;
	void *to;

	if (len == 0 && (key->flags & FLOE_META_NOT_EMPTY) != 0)
		return floe_meta_fail(parser, st, FLOE_ERR_CORRUPT, "must not be empty");
	copy = floe_meta_text(parser, text, len, st);
	to = copy == NULL ? NULL : target(parser, key, st);
	if (to == NULL)
		return false;
	*(const char **) to = copy;
	return true;
}

static bool
on_string(void *ctx, const char *text, size_t len, FloeStatus *st)
{
	FloeMetaParser *parser = ctx;
	const FloeMetaKey *key = expected(parser, st);
	FloeMetaFrame *frame = parser->top;

	if (key == NULL)
		return false;
	switch (key->want)
	{
		case FLOE_WANT_SKIP:
			return true;
		case FLOE_WANT_COUNTER:
			read_counter(parser, key, text, len);
			return true;
		case FLOE_WANT_STRING:
			if (!read_string(parser, key, text, len, st) ||
				((key->flags & FLOE_META_ANY_VERSION) != 0 && !check_version(parser, false, st)))
				return false;
			break;
		case FLOE_WANT_WORD:
			if (!key->word(parser, frame, text, len, st))
				return false;
			break;
		case FLOE_WANT_TYPE:
		{
			FloeMetaNode *owner = floe_meta_type_owner(parser, frame, st);

			if (owner == NULL || (owner->type = floe_meta_intern(parser, text, len, st)) == NULL)
				return false;
			break;
		}
		default:
			return wrong_type(parser, key, st);
	}
	return accepted(parser);
}

static bool
on_literal(void *ctx, FloeJscanLiteral literal, FloeStatus *st)
{
	FloeMetaParser *parser = ctx;
	const FloeMetaFrame *frame = parser->top;
	const FloeMetaKey *key = expected(parser, st);

	if (key == NULL)
		return false;
	if (key->want == FLOE_WANT_SKIP || key->want == FLOE_WANT_COUNTER)
		return true;
	/* null is as good as absent, but for elements of an array */
	if (literal == FLOE_JSCAN_NULL && frame->key != NULL && frame != parser->frames)
		return true;
	if (key->want != FLOE_WANT_BOOL || literal == FLOE_JSCAN_NULL)
		return wrong_type(parser, key, st);
	*(bool *) target(parser, key, st) = literal == FLOE_JSCAN_TRUE;
	return accepted(parser);
}

static bool
on_open(void *ctx, bool is_array, FloeStatus *st)
{
	FloeMetaParser *parser = ctx;
	const FloeMetaKey *key = expected(parser, st);
	FloeMetaNode *owner = NULL;
	FloeMetaFrame *frame;

	if (key == NULL)
		return false;
	if (key->want == FLOE_WANT_SKIP || key->want == FLOE_WANT_COUNTER)
	{
		floe_jscan_skip(&parser->scan);
		return true;
	}
	if (key->want != (is_array ? FLOE_WANT_ARRAY : FLOE_WANT_OBJECT) && (key->want != FLOE_WANT_TYPE || is_array))
		return wrong_type(parser, key, st);
	if (key->want == FLOE_WANT_TYPE)
	{
		owner = floe_meta_type_owner(parser, parser->top, st);
		if (owner == NULL)
			return false;
	}
	(void) accepted(parser);
	/* there is room: the scanner has counted this level already */
	frame = ++parser->top;
	memset(frame, 0, sizeof(*frame));
	frame->kind = key->child;
	frame->shape = floe_meta_shapes[frame->kind];
	frame->owner = owner;
	return frame->shape->open == NULL || frame->shape->open(parser, frame, st);
}

static bool
on_close(void *ctx, FloeStatus *st)
{
	FloeMetaParser *parser = ctx;
	FloeMetaFrame *frame = parser->top--;
	const FloeMetaShape *shape = frame->shape;
	uint8 required = FLOE_META_REQUIRED;

	if (frame->kind == FLOE_KIND_TABLE && !check_version(parser, true, st))
		return false;
	if (parser->meta->format_version >= 2)
		required |= FLOE_META_REQUIRED_V2;
	if (parser->meta->format_version >= 3)
		required |= FLOE_META_REQUIRED_V3;
	for (int i = 0; i < shape->key_count; i++)
	{
		if ((shape->keys[i].flags & required) != 0 && (frame->has >> i & 1) == 0)
			return floe_meta_fail_member(parser, st, FLOE_ERR_CORRUPT, shape->keys[i].name, "is missing");
	}
	return shape->close == NULL || shape->close(parser, frame, st);
}

static inline uint8 *
key_slot(FloeMetaParser *parser, FloeMetaKind kind, const char *text, size_t len)
{
	size_t hash = len;

	if (len > 0)
		hash += (uint8) text[0] * 7u + (uint8) text[len / 2] * 13u + (uint8) text[len - 1] * 31u;
	return &parser->slots[kind][hash % FLOE_META_SLOTS];
}

static uint8 *
next_slot(FloeMetaParser *parser, FloeMetaKind kind, const uint8 *slot)
{
	return &parser->slots[kind][(slot + 1 - parser->slots[kind]) % FLOE_META_SLOTS];
}

void
floe_meta_begin(FloeMetaParser *parser)
{
	static const FloeMetaKey roots[] = {
		[FLOE_META_FILE] = {.want = FLOE_WANT_OBJECT, .child = FLOE_KIND_TABLE},
		[FLOE_META_LOAD_RESULT] = {.want = FLOE_WANT_OBJECT, .child = FLOE_KIND_LOAD_RESULT},
	};
	static const FloeMetaShape document;

	parser->top = parser->frames;
	parser->top->shape = &document;
	parser->top->key = &roots[parser->root];
	for (int kind = 0; kind < FLOE_KIND_COUNT; kind++)
	{
		const FloeMetaShape *shape = floe_meta_shapes[kind];

		for (int i = 0; shape != NULL && i < shape->key_count; i++)
		{
			uint8 *slot = key_slot(parser, kind, shape->keys[i].name, shape->keys[i].len);

			while (*slot != 0)
				slot = next_slot(parser, kind, slot);
			*slot = (uint8) (i + 1);
		}
	}
}

/* The names that are looked for are floe's own, so no document can make this slow. */
static const FloeMetaKey *
find_key(FloeMetaParser *parser, FloeMetaKind kind, const FloeMetaShape *shape, const char *text, size_t len)
{
	for (uint8 *slot = key_slot(parser, kind, text, len); *slot != 0; slot = next_slot(parser, kind, slot))
	{
		const FloeMetaKey *key = &shape->keys[*slot - 1];

		if (key->len == len && memcmp(key->name, text, len) == 0)
			return key;
	}
	return NULL;
}

static bool
on_key(void *ctx, const char *text, size_t len, FloeStatus *st)
{
	FloeMetaParser *parser = ctx;
	FloeMetaFrame *frame = parser->top;
	const FloeMetaShape *shape = frame->shape;
	uint64 bit;

	frame->key = NULL;
	frame->name = NULL;
	if (shape->is_map)
	{
		if (!count_element(parser, frame, st))
			return false;
		frame->name = floe_meta_text(parser, text, len, st);
		frame->key = &shape->element;
		return frame->name != NULL;
	}
	frame->key = find_key(parser, frame->kind, shape, text, len);
	if (frame->key == NULL ||
		(parser->is_other_version && parser->in_table && (frame->key->flags & FLOE_META_ANY_VERSION) == 0))
	{
		frame->key = NULL;
		floe_jscan_skip(&parser->scan);
		return true;
	}
	bit = UINT64CONST(1) << (frame->key - shape->keys);
	if ((frame->met & bit) != 0)
	{
		/* which of the two holds, nobody knows */
		if ((frame->key->flags & FLOE_META_ANY_VERSION) != 0)
			parser->meta->location = NULL;
		return floe_meta_fail(parser, st, FLOE_ERR_CORRUPT, "stands there twice");
	}
	frame->met |= bit;
	return true;
}

const FloeJscanHandler floe_meta_handler = {
	.open = on_open,
	.close = on_close,
	.key = on_key,
	.string = on_string,
	.number = on_number,
	.literal = on_literal,
};

bool
floe_meta_has(FloeMetaKind kind, uint64 has, const char *key)
{
	const FloeMetaShape *shape = floe_meta_shapes[kind];

	for (int i = 0; i < shape->key_count; i++)
	{
		if (strcmp(shape->keys[i].name, key) == 0)
			return (has >> i & 1) != 0;
	}
	return false;
}
