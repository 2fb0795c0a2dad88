/*
 * meta_lists.c: what all parts of the metadata parser need: failures that name
 * their place, lists that grow, and text in the arena.
 */
#include "floe.h"

#include "iceberg/meta_private.h"
#include "base/sort.h"

#include <stdio.h>
#include <string.h>

#define FIRST_SEGMENT 4
#define MAX_SEGMENT 4096
#define INTERNED 1024

typedef struct FloeMetaSegment
{
	struct FloeMetaSegment *next;
	int room;
	int used;
} FloeMetaSegment;

typedef struct FloeMetaInterned
{
	const char *text;
	size_t len;
} FloeMetaInterned;

StaticAssertDecl(sizeof(FloeMetaSegment) % 8 == 0, "items behind a segment's head are aligned");

/* ---------------------------------------------------------------- failures */

#define PLACE_SIZE 160

/* Appends a key or index; what comes from outside is cut between characters and cannot break the line. */
static void
add_place(char *place, size_t size, const char *piece)
{
	size_t len = strlen(place);

	if (len > 0 && len + 1 < size && piece[0] != '[')
		place[len++] = '.';
	floe_copy_text(place + len, size - len, piece, strlen(piece));
	for (char *p = place + len; *p != '\0'; p++)
	{
		if ((unsigned char) *p < ' ' || *p == '"')
			*p = '?';
	}
}

void
floe_meta_place(const FloeMetaParser *parser, char *place, size_t size)
{
	place[0] = '\0';
	for (const FloeMetaFrame *frame = parser->frames; frame <= parser->top; frame++)
	{
		char index[16];

		snprintf(index, sizeof(index), "[%d]", frame->index - 1);
		if (frame->name != NULL || (frame->key != NULL && frame->key->name != NULL))
			add_place(place, size, frame->name != NULL ? frame->name : frame->key->name);
		else if (frame->index > 0)
			add_place(place, size, index);
	}
}

/* Around the metadata of an answer it is the protocol that is violated. */
static FloeCode
code_here(const FloeMetaParser *parser, FloeCode code)
{
	bool around = parser->root == FLOE_META_LOAD_RESULT && !parser->in_table;

	return code == FLOE_ERR_CORRUPT && around ? FLOE_ERR_PROTOCOL : code;
}

bool
floe_meta_fail(FloeMetaParser *parser, FloeStatus *st, FloeCode code, const char *why)
{
	char place[PLACE_SIZE];

	floe_meta_place(parser, place, sizeof(place));
	parser->reported = true;
	if (place[0] == '\0')
		return floe_fail(st, code_here(parser, code), "the document %s", why);
	return floe_fail(st, code_here(parser, code), "\"%s\" %s", place, why);
}

bool
floe_meta_fail_member(FloeMetaParser *parser, FloeStatus *st, FloeCode code, const char *member, const char *why)
{
	char place[PLACE_SIZE];

	floe_meta_place(parser, place, sizeof(place));
	add_place(place, sizeof(place), member);
	parser->reported = true;
	return floe_fail(st, code_here(parser, code), "\"%s\" %s", place, why);
}

bool
floe_meta_corrupt(FloeMetaParser *parser, FloeStatus *st, const char *key, const char *why)
{
	char place[PLACE_SIZE] = "";

	if (parser->root == FLOE_META_LOAD_RESULT)
		add_place(place, sizeof(place), "metadata");
	add_place(place, sizeof(place), key);
	parser->reported = true;
	return floe_fail(st, FLOE_ERR_CORRUPT, "\"%s\" %s", place, why);
}

bool
floe_meta_no_memory(FloeMetaParser *parser, FloeStatus *st)
{
	return floe_meta_fail(parser, st, FLOE_ERR_TOO_LARGE, "needs more memory than it may have");
}

/* ------------------------------------------------------------ lists and text */

void
floe_meta_list_init(FloeMetaList *list, size_t item_size)
{
	memset(list, 0, sizeof(*list));
	list->size = item_size;
}

static char *
items_of(FloeMetaSegment *segment)
{
	return (char *) (segment + 1);
}

void *
floe_meta_list_add(FloeMetaParser *parser, FloeMetaList *list, FloeStatus *st)
{
	FloeMetaSegment *segment = list->last;
	void *item;

	if (segment == NULL || segment->used == segment->room)
	{
		int room = segment == NULL ? FIRST_SEGMENT : Min(segment->room * 2, MAX_SEGMENT);

		segment = floe_arena_alloc(parser->arena, sizeof(FloeMetaSegment) + (size_t) room * list->size);
		if (segment == NULL)
		{
			floe_meta_no_memory(parser, st);
			return NULL;
		}
		*segment = (FloeMetaSegment){.room = room};
		*(list->last == NULL ? &list->first : &list->last->next) = segment;
		list->last = segment;
	}
	list->count++;
	item = items_of(segment) + (size_t) segment->used++ * list->size;
	memset(item, 0, list->size);
	return item;
}

void *
floe_meta_list_next(const FloeMetaList *list, FloeMetaCursor *cursor)
{
	if (cursor->segment == NULL)
		cursor->segment = list->first;
	else if (++cursor->at == cursor->segment->used)
	{
		cursor->segment = cursor->segment->next;
		cursor->at = 0;
	}
	return cursor->segment != NULL ? items_of(cursor->segment) + (size_t) cursor->at * list->size : NULL;
}

bool
floe_meta_list_flatten(FloeMetaParser *parser, FloeMetaList *list, void **items, FloeStatus *st)
{
	char *to;

	if (list->first == list->last)
	{
		*items = list->first != NULL ? items_of(list->first) : NULL;
		return true;
	}
	*items = to = floe_arena_alloc(parser->arena, (size_t) list->count * list->size);
	if (to == NULL)
		return floe_meta_no_memory(parser, st);
	for (FloeMetaSegment *segment = list->first; segment != NULL; segment = segment->next)
	{
		memcpy(to, items_of(segment), (size_t) segment->used * list->size);
		to += (size_t) segment->used * list->size;
	}
	return true;
}

char *
floe_meta_text(FloeMetaParser *parser, const char *text, size_t len, FloeStatus *st)
{
	char *copy;

	if (memchr(text, '\0', len) != NULL)
	{
		floe_meta_fail(parser, st, FLOE_ERR_CORRUPT, "contains a NUL character");
		return NULL;
	}
	copy = floe_arena_text(parser->arena, text, len);
	if (copy == NULL)
		floe_meta_no_memory(parser, st);
	return copy;
}

/* A cache, not a set: a name that is pushed out is stored once more, which costs memory but never time. */
const char *
floe_meta_intern(FloeMetaParser *parser, const char *text, size_t len, FloeStatus *st)
{
	uint32 hash = 2166136261u;
	FloeMetaInterned *slot;

	if (parser->interned == NULL)
		parser->interned = floe_arena_alloc0(parser->arena, INTERNED * sizeof(FloeMetaInterned));
	if (parser->interned == NULL)
	{
		floe_meta_no_memory(parser, st);
		return NULL;
	}
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8) text[i]) * 16777619u;
	slot = &parser->interned[hash % INTERNED];
	if (slot->text == NULL || slot->len != len || memcmp(slot->text, text, len) != 0)
	{
		slot->text = floe_meta_text(parser, text, len, st);
		slot->len = len;
	}
	return slot->text;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

bool
floe_meta_sort_names(FloeMetaParser *parser, void *items, int count, size_t size, const char **twice, FloeStatus *st)
{
	void *scratch = floe_arena_alloc(parser->arena, (size_t) count * size);

	*twice = NULL;
	if (scratch == NULL)
		return floe_meta_no_memory(parser, st);
	floe_sort(items, scratch, (size_t) count, size, compare_names);
	for (int i = 1; i < count; i++)
	{
		char *item = (char *) items + (size_t) i * size;

		if (compare_names(item - size, item) == 0)
			*twice = *(const char **) item;
	}
	return true;
}
