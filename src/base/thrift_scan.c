/*
 * thrift_scan.c: a walk over a Thrift message that may stop at any byte.
 */
#include "floe.h"

#include "base/thrift_scan.h"

/* What the bytes being collected are. */
typedef enum Step
{
	VERSION,     /* of the message, 4 bytes */
	NAME,        /* length of the method's name, 4 */
	SEQUENCE,    /* 4 */
	FIELD_TYPE,  /* 1 */
	FIELD_ID,    /* 2 */
	TEXT_LENGTH, /* 4 */
	LIST_HEAD,   /* type, count: 5 */
	MAP_HEAD,    /* two types, count: 6 */
	NEXT_VALUE,  /* nothing is collected: the next value of the innermost level begins */
	DONE
} Step;

static const uint8_t sizes[] = {
	[VERSION] = 4,     [NAME] = 4,      [SEQUENCE] = 4, [FIELD_TYPE] = 1, [FIELD_ID] = 2,
	[TEXT_LENGTH] = 4, [LIST_HEAD] = 5, [MAP_HEAD] = 6, [NEXT_VALUE] = 0, [DONE] = 0,
};

static uint32_t
number(const uint8_t *p)
{
	return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

static bool
open_level(FloeThriftScan *s, bool is_struct, uint8_t first, uint8_t second, uint64_t values)
{
	if (s->depth == FLOE_THRIFT_MAX_DEPTH)
		return false;
	s->levels[s->depth++] = (FloeThriftScanLevel){is_struct, {first, second}, values};
	s->step = is_struct ? FIELD_TYPE : NEXT_VALUE;
	return true;
}

static bool
begin_value(FloeThriftScan *s, uint8_t type)
{
	s->step = NEXT_VALUE;
	switch (type)
	{
		case FLOE_THRIFT_BOOL:
		case FLOE_THRIFT_I8:
			s->skip = 1;
			return true;
		case FLOE_THRIFT_I16:
			s->skip = 2;
			return true;
		case FLOE_THRIFT_I32:
			s->skip = 4;
			return true;
		case FLOE_THRIFT_I64:
		case FLOE_THRIFT_DOUBLE:
			s->skip = 8;
			return true;
		case FLOE_THRIFT_STRING:
			s->step = TEXT_LENGTH;
			return true;
		case FLOE_THRIFT_LIST:
		case FLOE_THRIFT_SET:
			s->step = LIST_HEAD;
			return true;
		case FLOE_THRIFT_MAP:
			s->step = MAP_HEAD;
			return true;
		case FLOE_THRIFT_STRUCT:
			return open_level(s, true, 0, 0, 0);
		default:
			return false;
	}
}

/* After a value: the next one of the innermost level, or the end of levels. */
static bool
next_value(FloeThriftScan *s)
{
	while (s->depth > 0)
	{
		FloeThriftScanLevel *level = &s->levels[s->depth - 1];

		if (level->is_struct)
		{
			s->step = FIELD_TYPE;
			return true;
		}
		if (level->left > 0)
		{
			level->left--;
			/* a map has an even number of values, and an even number left before each key */
			return begin_value(s, level->types[level->left & 1 ? 0 : 1]);
		}
		s->depth--;
	}
	s->step = DONE;
	return true;
}

/* The head of the step is there. */
static bool
take_head(FloeThriftScan *s)
{
	const uint8_t *head = s->head;

	switch ((Step) s->step)
	{
		case VERSION:
			s->step = NAME;
			return (number(head) & 0xFFFF0000u) == 0x80010000u;
		case NAME:
			s->step = SEQUENCE;
			s->skip = number(head);
			return s->skip <= 1000;
		case SEQUENCE:
			return open_level(s, true, 0, 0, 0);
		case FIELD_TYPE:
			if (head[0] != FLOE_THRIFT_STOP)
			{
				s->levels[s->depth - 1].types[0] = head[0];
				s->step = FIELD_ID;
				return true;
			}
			s->depth--;
			return next_value(s);
		case FIELD_ID:
			return begin_value(s, s->levels[s->depth - 1].types[0]);
		case TEXT_LENGTH:
			s->skip = number(head);
			s->step = NEXT_VALUE;
			return s->skip <= INT32_MAX;
		case LIST_HEAD:
			return number(head + 1) <= INT32_MAX && open_level(s, false, head[0], head[0], number(head + 1));
		case MAP_HEAD:
			return number(head + 2) <= INT32_MAX &&
				   open_level(s, false, head[0], head[1], (uint64_t) number(head + 2) * 2);
		case NEXT_VALUE:
			return next_value(s);
		case DONE:
			break;
	}
	return false;
}

FloeThriftScanResult
floe_thrift_scan(FloeThriftScan *s, const void *data, size_t len, size_t *used)
{
	const uint8_t *p = data;
	const uint8_t *end = p + len;

	for (;;)
	{
		if (s->skip > 0)
		{
			size_t n = (size_t) Min(s->skip, (uint64_t) (end - p));

			p += n;
			s->skip -= n;
			if (s->skip > 0)
				return FLOE_THRIFT_SCAN_MORE;
		}
		if (s->step == DONE)
		{
			*used = (size_t) (p - (const uint8_t *) data);
			return FLOE_THRIFT_SCAN_END;
		}
		while (s->have < sizes[s->step])
		{
			if (p == end)
				return FLOE_THRIFT_SCAN_MORE;
			s->head[s->have++] = *p++;
		}
		s->have = 0;
		if (!take_head(s))
			return FLOE_THRIFT_SCAN_BAD;
	}
}
