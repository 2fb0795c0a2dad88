/*
 * pattern.c: parsing names and patterns, and matching without backtracking over levels.
 *
 * Own code, because no library knows this text form; glob matching inside a
 * level is the usual two-pointer walk, linear in practice and quadratic at
 * worst, and `**` over levels is a table of at most 32 by 32.
 */
#include "floe.h"

#include "base/pattern.h"

#include <string.h>

#define MAX_ANY_TOKENS 8

/* One level of a text form, up to the next dot (or comma, in a pattern). */
typedef struct Scanner
{
	const char *pos;
	const char *end;
	FloeArena *arena;
	FloeStatus *st;
	bool in_pattern;
} Scanner;

/* What may stand around the items of a list without being part of them. */
static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool
at_level_end(const Scanner *s)
{
	return s->pos == s->end || *s->pos == '.' || (s->in_pattern && *s->pos == ',');
}

/* After "…": unquoted text in the arena. */
static bool
scan_quoted(Scanner *s, FloeLevel *out)
{
	char *copy = floe_arena_alloc(s->arena, (size_t) (s->end - s->pos) + 1);
	size_t len = 0;

	if (copy == NULL)
		return floe_fail(s->st, FLOE_ERR_NOMEM, "out of memory");
	s->pos++;
	for (;;)
	{
		if (s->pos == s->end)
			return floe_fail(s->st, FLOE_ERR_CONFIG, "a double quote is not closed");
		if (*s->pos == '"')
		{
			if (s->pos + 1 < s->end && s->pos[1] == '"')
				s->pos++;
			else
				break;
		}
		copy[len++] = *s->pos++;
	}
	s->pos++;
	out->data = copy;
	out->len = len;
	return true;
}

static void
trim_end(const char *start, const char **end)
{
	while (*end > start && is_blank((*end)[-1]))
		(*end)--;
}

static bool
scan_plain(Scanner *s, FloeLevel *out)
{
	const char *start = s->pos;
	const char *stop;

	while (!at_level_end(s))
	{
		if (*s->pos == '"')
			return floe_fail(s->st, FLOE_ERR_CONFIG,
							 "a double quote stands inside a level; quote the whole level and double the quote");
		s->pos++;
	}
	stop = s->pos;
	/* blanks around a list's items are not part of them */
	if (s->in_pattern && (s->pos == s->end || *s->pos == ','))
		trim_end(start, &stop);
	out->data = start;
	out->len = (size_t) (stop - start);
	if (out->len == 0)
		return floe_fail(s->st, FLOE_ERR_CONFIG, "a level is empty");
	return true;
}

/* /regex/: ends at the first unescaped slash that a dot, a comma, a blank or the end follows. */
static bool
scan_regex(Scanner *s, FloeLevel *out)
{
	const char *start = ++s->pos;

	for (; s->pos < s->end; s->pos++)
	{
		if (*s->pos == '\\' && s->pos + 1 < s->end)
			s->pos++;
		else if (*s->pos == '/' &&
				 (s->pos + 1 == s->end || s->pos[1] == '.' || s->pos[1] == ',' || is_blank(s->pos[1])))
		{
			out->data = start;
			out->len = (size_t) (s->pos - start);
			s->pos++;
			if (out->len == 0)
				return floe_fail(s->st, FLOE_ERR_CONFIG, "a regular expression is empty");
			return true;
		}
	}
	return floe_fail(s->st, FLOE_ERR_CONFIG, "a regular expression lacks its closing slash");
}

bool
floe_name_parse(FloeArena *arena, const char *text, size_t len, bool any_depth, FloeLevel *levels, int *nlevels,
				FloeStatus *st)
{
	Scanner s = {text, text + len, arena, st, false};
	int n = 0;

	if (len > FLOE_NAME_MAX_BYTES)
		return floe_fail(st, FLOE_ERR_CONFIG, "the name is longer than %d bytes", FLOE_NAME_MAX_BYTES);
	for (;;)
	{
		if (n == FLOE_NAME_MAX_LEVELS)
			return floe_fail(st, FLOE_ERR_CONFIG, "the name has more than %d levels", FLOE_NAME_MAX_LEVELS);
		if (s.pos < s.end && *s.pos == '"')
		{
			if (!scan_quoted(&s, &levels[n]))
				return false;
			if (levels[n].len == 0)
				return floe_fail(st, FLOE_ERR_CONFIG, "a level is empty");
		}
		else if (!scan_plain(&s, &levels[n]))
			return false;
		n++;
		if (s.pos == s.end)
			break;
		if (*s.pos != '.')
			return floe_fail(st, FLOE_ERR_CONFIG, "a dot must follow a closing double quote");
		s.pos++;
	}
	if (n < 3 && !any_depth)
		return floe_fail(st, FLOE_ERR_CONFIG, "a table name has at least three levels: catalog, namespace and table");
	*nlevels = n;
	return true;
}

static bool
needs_quotes(FloeLevel level)
{
	if (level.len == 0 || level.data[0] == '!' || level.data[0] == '/' || is_blank(level.data[0]) ||
		is_blank(level.data[level.len - 1]))
		return true;
	for (size_t i = 0; i < level.len; i++)
	{
		if (level.data[i] != '\0' && strchr(".\"*?,", level.data[i]) != NULL)
			return true;
	}
	return false;
}

bool
floe_name_format(FloeBuf *out, const FloeLevel *levels, int nlevels)
{
	for (int i = 0; i < nlevels; i++)
	{
		if (i > 0)
			floe_buf_char(out, '.');
		if (!needs_quotes(levels[i]))
		{
			floe_buf_append(out, levels[i].data, levels[i].len);
			continue;
		}
		floe_buf_char(out, '"');
		for (size_t j = 0; j < levels[i].len; j++)
		{
			if (levels[i].data[j] == '"')
				floe_buf_char(out, '"');
			floe_buf_char(out, levels[i].data[j]);
		}
		floe_buf_char(out, '"');
	}
	return !out->failed;
}

static bool
scan_token(Scanner *s, FloeTokenKind *kind, FloeLevel *text)
{
	if (s->pos < s->end && *s->pos == '"')
	{
		*kind = FLOE_TOKEN_LITERAL;
		if (!scan_quoted(s, text))
			return false;
		if (text->len == 0)
			return floe_fail(s->st, FLOE_ERR_CONFIG, "a level is empty");
		return true;
	}
	if (s->pos < s->end && *s->pos == '/')
	{
		*kind = FLOE_TOKEN_REGEX;
		return scan_regex(s, text);
	}
	if (!scan_plain(s, text))
		return false;
	if (text->len == 2 && memcmp(text->data, "**", 2) == 0)
		*kind = FLOE_TOKEN_ANY;
	else if (memchr(text->data, '*', text->len) != NULL || memchr(text->data, '?', text->len) != NULL)
		*kind = FLOE_TOKEN_GLOB;
	else
		*kind = FLOE_TOKEN_LITERAL;
	if (*kind == FLOE_TOKEN_GLOB && text->len > 2)
	{
		for (size_t i = 0; i + 1 < text->len; i++)
		{
			if (text->data[i] == '*' && text->data[i + 1] == '*')
				return floe_fail(s->st, FLOE_ERR_CONFIG, "\"**\" must be a level of its own");
		}
	}
	return true;
}

static void
skip_blanks(Scanner *s)
{
	while (s->pos < s->end && is_blank(*s->pos))
		s->pos++;
}

/* One item of the list, up to its comma or the end. */
static bool
scan_item(Scanner *s, FloePatternItem *item)
{
	int nany = 0;

	skip_blanks(s);
	item->exclude = s->pos < s->end && *s->pos == '!';
	if (item->exclude)
	{
		s->pos++;
		skip_blanks(s);
		if (s->pos < s->end && *s->pos == '!')
			return floe_fail(s->st, FLOE_ERR_CONFIG,
							 "\"!\" stands twice; a level that begins with it stands in double quotes");
	}
	item->ntokens = 0;
	for (;;)
	{
		int n = item->ntokens;

		if (n == FLOE_NAME_MAX_LEVELS)
			return floe_fail(s->st, FLOE_ERR_CONFIG, "a pattern has more than %d levels", FLOE_NAME_MAX_LEVELS);
		if (!scan_token(s, &item->kinds[n], &item->texts[n]))
			return false;
		if (item->kinds[n] == FLOE_TOKEN_ANY && ++nany > MAX_ANY_TOKENS)
			return floe_fail(s->st, FLOE_ERR_CONFIG, "a pattern holds \"**\" more than %d times", MAX_ANY_TOKENS);
		item->ntokens++;
		if (s->pos < s->end && *s->pos == '.')
		{
			s->pos++;
			continue;
		}
		skip_blanks(s);
		if (s->pos == s->end || *s->pos == ',')
			break;
		return floe_fail(s->st, FLOE_ERR_CONFIG,
						 "a dot or a comma is missing after a quoted level or a regular expression");
	}
	if (nany == 0 && item->ntokens < 3)
		return floe_fail_detail(
			s->st, FLOE_ERR_CONFIG, "Levels are catalog, namespaces and table; \"**\" stands for any number of them.",
			"the pattern has %d level%s and can match no table", item->ntokens, item->ntokens == 1 ? "" : "s");
	return true;
}

bool
floe_pattern_parse(FloeArena *arena, const char *text, size_t len, FloePattern *pattern, FloeStatus *st)
{
	Scanner s = {text, text + len, arena, st, true};
	bool positive = false;

	if (len > FLOE_NAME_MAX_BYTES)
		return floe_fail(st, FLOE_ERR_CONFIG, "the pattern is longer than %d bytes", FLOE_NAME_MAX_BYTES);
	pattern->nitems = 0;
	pattern->items = floe_arena_alloc(arena, sizeof(FloePatternItem) * FLOE_PATTERN_MAX_ITEMS);
	if (pattern->items == NULL)
		return floe_fail(st, FLOE_ERR_NOMEM, "out of memory");
	for (;;)
	{
		FloePatternItem *item = &pattern->items[pattern->nitems];

		if (pattern->nitems == FLOE_PATTERN_MAX_ITEMS)
			return floe_fail(st, FLOE_ERR_CONFIG, "the pattern has more than %d parts", FLOE_PATTERN_MAX_ITEMS);
		if (!scan_item(&s, item))
			return false;
		positive |= !item->exclude;
		pattern->nitems++;
		if (s.pos == s.end)
			break;
		s.pos++;
	}
	if (!positive)
		return floe_fail(st, FLOE_ERR_CONFIG, "the pattern only excludes");
	return true;
}

/* Bytes of the UTF-8 sequence that starts here, as far as the text goes. */
static size_t
char_len(const char *p, const char *end)
{
	size_t n = 1;

	if (((unsigned char) *p & 0xC0) == 0xC0)
	{
		while (p + n < end && ((unsigned char) p[n] & 0xC0) == 0x80)
			n++;
	}
	return n;
}

static bool
glob_match(FloeLevel glob, FloeLevel text)
{
	const char *g = glob.data;
	const char *gend = glob.data + glob.len;
	const char *t = text.data;
	const char *tend = text.data + text.len;
	const char *star = NULL;
	const char *retry = NULL;

	while (t < tend)
	{
		if (g < gend && *g == '*')
		{
			star = ++g;
			retry = t;
		}
		else if (g < gend && *g == '?')
		{
			g++;
			t += char_len(t, tend);
		}
		else if (g < gend && *g == *t)
		{
			g++;
			t++;
		}
		else if (star != NULL)
		{
			g = star;
			retry += char_len(retry, tend);
			t = retry;
		}
		else
			return false;
	}
	while (g < gend && *g == '*')
		g++;
	return g == gend;
}

static bool
token_match(FloeTokenKind kind, FloeLevel token, FloeLevel level, FloeRegexMatch regex, void *arg)
{
	switch (kind)
	{
		case FLOE_TOKEN_LITERAL:
			return token.len == level.len && memcmp(token.data, level.data, token.len) == 0;
		case FLOE_TOKEN_GLOB:
			return glob_match(token, level);
		case FLOE_TOKEN_REGEX:
			return regex(arg, token, level);
		case FLOE_TOKEN_ANY:
			break;
	}
	return true;
}

/* reach[j]: the tokens so far can have consumed exactly j levels. */
static bool
item_match(const FloePatternItem *item, const FloeLevel *levels, int nlevels, FloeRegexMatch regex, void *arg)
{
	bool reach[FLOE_NAME_MAX_LEVELS + 1] = {true};

	/* most of many patterns name another catalog or namespace: before the first ** each token has its level */
	for (int i = 0; i < item->ntokens && item->kinds[i] != FLOE_TOKEN_ANY; i++)
	{
		if (i >= nlevels)
			return false;
		if (item->kinds[i] == FLOE_TOKEN_LITERAL &&
			!token_match(FLOE_TOKEN_LITERAL, item->texts[i], levels[i], regex, arg))
			return false;
	}
	for (int i = 0; i < item->ntokens; i++)
	{
		bool any = false;

		if (item->kinds[i] == FLOE_TOKEN_ANY)
		{
			for (int j = 1; j <= nlevels; j++)
				reach[j] |= reach[j - 1];
			continue;
		}
		for (int j = nlevels; j > 0; j--)
		{
			reach[j] = reach[j - 1] && token_match(item->kinds[i], item->texts[i], levels[j - 1], regex, arg);
			any |= reach[j];
		}
		reach[0] = false;
		if (!any)
			return false;
	}
	return reach[nlevels];
}

static int
item_specificity(const FloePatternItem *item)
{
	int literal = 0;
	int partial = 0;

	for (int i = 0; i < item->ntokens; i++)
	{
		literal += item->kinds[i] == FLOE_TOKEN_LITERAL;
		partial += item->kinds[i] == FLOE_TOKEN_GLOB || item->kinds[i] == FLOE_TOKEN_REGEX;
	}
	return literal * 100 + partial;
}

int
floe_pattern_match(const FloePattern *pattern, const FloeLevel *levels, int nlevels, FloeRegexMatch regex, void *arg)
{
	int best = -1;

	if (nlevels > FLOE_NAME_MAX_LEVELS)
		return -1;
	for (int i = 0; i < pattern->nitems; i++)
	{
		const FloePatternItem *item = &pattern->items[i];

		if (!item->exclude && item_specificity(item) <= best)
			continue;
		if (!item_match(item, levels, nlevels, regex, arg))
			continue;
		if (item->exclude)
			return -1;
		best = item_specificity(item);
	}
	return best;
}

bool
floe_pattern_match_catalog(const FloePattern *pattern, FloeLevel catalog, FloeRegexMatch regex, void *arg)
{
	for (int i = 0; i < pattern->nitems; i++)
	{
		const FloePatternItem *item = &pattern->items[i];

		if (!item->exclude && token_match(item->kinds[0], item->texts[0], catalog, regex, arg))
			return true;
	}
	return false;
}

/* ---- one pattern inside another ---- */

static bool
same_text(FloeLevel a, FloeLevel b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* Every level that token j of inner matches, token i of outer does too; neither is "**". False where that is not certain. */
static bool
token_covers(const FloePatternItem *outer, int i, const FloePatternItem *inner, int j, FloeRegexMatch regex, void *arg)
{
	FloeLevel wide = outer->texts[i];
	FloeLevel narrow = inner->texts[j];

	if (outer->kinds[i] == FLOE_TOKEN_GLOB && wide.len == 1 && wide.data[0] == '*')
		return true;
	if (inner->kinds[j] == FLOE_TOKEN_LITERAL)
		return token_match(outer->kinds[i], wide, narrow, regex, arg);
	return outer->kinds[i] == inner->kinds[j] && same_text(wide, narrow);
}

/* Some level may match both; neither is "**". */
static bool
token_meets(const FloePatternItem *a, int i, const FloePatternItem *b, int j, FloeRegexMatch regex, void *arg)
{
	if (b->kinds[j] == FLOE_TOKEN_LITERAL)
		return token_match(a->kinds[i], a->texts[i], b->texts[j], regex, arg);
	if (a->kinds[i] == FLOE_TOKEN_LITERAL)
		return token_match(b->kinds[j], b->texts[j], a->texts[i], regex, arg);
	return true;
}

/* known[i][j]: what is asked for holds of the tokens from i on of a and from j on of b. */
static bool
compare_items(const FloePatternItem *a, const FloePatternItem *b, bool meet, FloeRegexMatch regex, void *arg)
{
	bool known[FLOE_NAME_MAX_LEVELS + 1][FLOE_NAME_MAX_LEVELS + 1];

	for (int i = a->ntokens; i >= 0; i--)
	{
		for (int j = b->ntokens; j >= 0; j--)
		{
			bool more_a = i < a->ntokens;
			bool more_b = j < b->ntokens;
			bool any_a = more_a && a->kinds[i] == FLOE_TOKEN_ANY;
			bool any_b = more_b && b->kinds[j] == FLOE_TOKEN_ANY;

			if (any_a)
				known[i][j] = known[i + 1][j] || (more_b && known[i][j + 1]);
			else if (any_b)
				known[i][j] = meet && (known[i][j + 1] || (more_a && known[i + 1][j]));
			else if (more_a && more_b)
				known[i][j] = known[i + 1][j + 1] && (meet ? token_meets : token_covers)(a, i, b, j, regex, arg);
			else
				known[i][j] = !more_a && !more_b;
		}
	}
	return known[0][0];
}

/* No table that the item matches is excluded by outer, but for those that inner excludes, too. */
static bool
escapes_exclusions(const FloePattern *outer, const FloePattern *inner, const FloePatternItem *item,
				   FloeRegexMatch regex, void *arg)
{
	for (int i = 0; i < outer->nitems; i++)
	{
		const FloePatternItem *without = &outer->items[i];
		bool excluded_too = false;

		if (!without->exclude || !compare_items(without, item, true, regex, arg))
			continue;
		for (int j = 0; j < inner->nitems && !excluded_too; j++)
			excluded_too = inner->items[j].exclude && compare_items(&inner->items[j], without, false, regex, arg);
		if (!excluded_too)
			return false;
	}
	return true;
}

bool
floe_pattern_covers(const FloePattern *outer, const FloePattern *inner, FloeRegexMatch regex, void *arg)
{
	for (int j = 0; j < inner->nitems; j++)
	{
		const FloePatternItem *item = &inner->items[j];
		bool covered = item->exclude;

		for (int i = 0; i < outer->nitems && !covered; i++)
			covered = !outer->items[i].exclude && compare_items(&outer->items[i], item, false, regex, arg);
		if (!covered || (!item->exclude && !escapes_exclusions(outer, inner, item, regex, arg)))
			return false;
	}
	return true;
}
