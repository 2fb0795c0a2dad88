/*
 * test_pattern.c: names and patterns as tables of cases.
 */
#include "floe.h"

#include "base/pattern.h"

#include "tap.h"

#include <regex.h>
#include <stdlib.h>

/* POSIX stands in for PostgreSQL's regular expressions: the cases use what both share. */
static bool
posix_regex(void *arg, FloeLevel regex, FloeLevel text)
{
	char re[256];
	char subject[256];
	regex_t compiled;
	bool match;

	(void) arg;
	snprintf(re, sizeof(re), "^(%.*s)$", (int) regex.len, regex.data);
	snprintf(subject, sizeof(subject), "%.*s", (int) text.len, text.data);
	if (regcomp(&compiled, re, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	match = regexec(&compiled, subject, 0, NULL, 0) == 0;
	regfree(&compiled);
	return match;
}

typedef struct NameCase
{
	const char *text;
	const char *levels; /* joined with |; NULL: an error that holds `error` */
	const char *error;
	const char *formatted; /* NULL: as text */
} NameCase;

static const NameCase name_cases[] = {
	{"demo.db.events", "demo|db|events", NULL, NULL},
	{"demo.a.b.c.t", "demo|a|b|c|t", NULL, NULL},
	{"Demo.DB.Events", "Demo|DB|Events", NULL, NULL},
	{"demo.db.my table", "demo|db|my table", NULL, NULL},
	{"demo.db.\"a.b\"", "demo|db|a.b", NULL, NULL},
	{"demo.\"x\"\"y\".t", "demo|x\"y|t", NULL, NULL},
	{"\"demo\".\"db\".\"t\"", "demo|db|t", NULL, "demo.db.t"},
	{"demo.db.\"*\"", "demo|db|*", NULL, NULL},
	{"demo.db.a*b", "demo|db|a*b", NULL, "demo.db.\"a*b\""},
	{"demo.db.\"!x\"", "demo|db|!x", NULL, NULL},
	{"demo.db.\"/x/\"", "demo|db|/x/", NULL, NULL},
	{"demo.db.\"a,b\"", "demo|db|a,b", NULL, NULL},
	{"demo.db.\" x\"", "demo|db| x", NULL, NULL},
	{"demo.db.\"\nx\"", "demo|db|\nx", NULL, NULL},
	{"demo.db.\"x\r\"", "demo|db|x\r", NULL, NULL},
	{"demo.db.\"\t\"", "demo|db|\t", NULL, NULL},
	{"demo.db.t'; DROP TABLE x; --", "demo|db|t'; DROP TABLE x; --", NULL, NULL},
	{"demo.db.\xC3\xA9v\xC3\xA9nements", "demo|db|\xC3\xA9v\xC3\xA9nements", NULL, NULL},
	{"demo.db", NULL, "at least three levels", NULL},
	{"events", NULL, "at least three levels", NULL},
	{"", NULL, "a level is empty", NULL},
	{"demo..t", NULL, "a level is empty", NULL},
	{"demo.db.", NULL, "a level is empty", NULL},
	{".db.t", NULL, "a level is empty", NULL},
	{"demo.db.\"\"", NULL, "a level is empty", NULL},
	{"demo.db.\"t", NULL, "not closed", NULL},
	{"demo.db.t\"x", NULL, "inside a level", NULL},
	{"demo.\"db\"x.t", NULL, "a dot must follow", NULL},
};

static void
test_names(void)
{
	FloeArena *arena = floe_arena_new(1 << 20);

	for (size_t i = 0; i < lengthof(name_cases); i++)
	{
		const NameCase *c = &name_cases[i];
		FloeLevel levels[FLOE_NAME_MAX_LEVELS];
		int n = 0;
		FloeStatus st;
		FloeBuf joined;
		FloeBuf formatted;

		floe_buf_init(&joined, 10000);
		floe_buf_init(&formatted, 10000);
		if (!floe_name_parse(arena, c->text, strlen(c->text), false, levels, &n, &st))
		{
			ok(c->levels == NULL && strstr(st.message, c->error) != NULL, "name [%s] is refused: %s", c->text,
			   st.message);
			continue;
		}
		for (int j = 0; j < n; j++)
		{
			if (j > 0)
				floe_buf_char(&joined, '|');
			floe_buf_append(&joined, levels[j].data, levels[j].len);
		}
		is_str(joined.data, c->levels, "name [%s]", c->text);
		floe_name_format(&formatted, levels, n);
		is_str(formatted.data, c->formatted ? c->formatted : c->text, "text form of [%s]", c->text);
		floe_buf_free(&joined);
		floe_buf_free(&formatted);
	}
	floe_arena_free(arena);
}

typedef struct MatchCase
{
	const char *pattern;
	const char *name;
	int specificity; /* -1: no match; -2: the pattern is refused */
} MatchCase;

static const MatchCase match_cases[] = {
	{"demo.db.events", "demo.db.events", 300},
	{"demo.db.events", "demo.db.event", -1},
	{"demo.db.Events", "demo.db.events", -1},
	{"demo.db.*", "demo.db.events", 201},
	{"demo.db.ev*", "demo.db.events", 201},
	{"demo.db.*ts", "demo.db.events", 201},
	{"demo.db.e*n*s", "demo.db.events", 201},
	{"demo.db.e*x*s", "demo.db.events", -1},
	{"demo.db.event?", "demo.db.events", 201},
	{"demo.db.?", "demo.db.\xC3\xA9", 201},
	{"demo.db.??", "demo.db.\xC3\xA9", -1},
	{"demo.*.events", "demo.db.events", 201},
	{"demo.*.events", "demo.a.b.events", -1},
	{"demo.**", "demo.db.events", 100},
	{"demo.**", "demo.a.b.c.events", 100},
	{"demo.**", "prod.db.events", -1},
	{"**", "demo.db.events", 0},
	{"**.events", "demo.a.b.events", 100},
	{"**.events", "demo.a.b.other", -1},
	{"demo.**.events", "demo.events.x.events", 200},
	{"demo.**.a.**.events", "demo.x.a.y.z.events", 300},
	{"demo.**.a.**.events", "demo.x.b.y.z.events", -1},
	{"*.*.*", "demo.db.events", 3},
	{"*.*.*", "demo.a.b.events", -1},
	{"demo.db.\"*\"", "demo.db.\"*\"", 300},
	{"demo.db.\"*\"", "demo.db.events", -1},
	{"demo.\"a.b\".t", "demo.\"a.b\".t", 300},
	{"demo.\"a.b\".t", "demo.a.b.t", -1},
	{"demo.db./ev.*/", "demo.db.events", 201},
	{"demo.db./ev/", "demo.db.events", -1},
	{"demo./a|b/.t", "demo.b.t", 201},
	{"demo./a|b/.t", "demo.c.t", -1},
	{"demo./.*/.t", "demo.a.b.t", -1},
	{"demo.db./x[.,]y/", "demo.db.\"x.y\"", 201},
	{"demo.**, !demo.tmp.**", "demo.db.t", 100},
	{"demo.**, !demo.tmp.**", "demo.tmp.t", -1},
	{"demo.**,!**.\"*_tmp\"", "demo.db.x_tmp", 100},
	{"demo.**,!**.*_tmp", "demo.db.x_tmp", -1},
	{"demo.a.*, demo.b.t", "demo.b.t", 300},
	{"demo.b.t, demo.**", "demo.b.t", 300},
	{"demo.**, demo.b.t", "demo.b.t", 300},
	{"demo.**,\r\n!demo.tmp.**\n", "demo.tmp.t", -1},
	{"  demo.db.t  ", "demo.db.t", 300},
	{"demo.db.my table", "demo.db.my table", 300},
	{"demo.db.a*a*a*a*a*a*a*a*b", "demo.db.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", -1},
	{"", "demo.db.t", -2},
	{"demo", "demo.db.t", -2},
	{"db.events", "demo.db.t", -2},
	{"!demo.**", "demo.db.t", -2},
	{"demo..t", "demo.db.t", -2},
	{"demo.db.a**b", "demo.db.t", -2},
	{"demo.db./x", "demo.db.t", -2},
	{"demo.db.//", "demo.db.t", -2},
	{"demo.db.\"t", "demo.db.t", -2},
	{"demo.db.t,", "demo.db.t", -2},
	{"demo.\"db\"t.x", "demo.db.t", -2},
	{"**.**.**.**.**.**.**.**.**.t", "demo.db.t", -2},
};

static void
test_patterns(void)
{
	for (size_t i = 0; i < lengthof(match_cases); i++)
	{
		const MatchCase *c = &match_cases[i];
		FloeArena *arena = floe_arena_new(1 << 20);
		FloeLevel levels[FLOE_NAME_MAX_LEVELS];
		int n;
		FloePattern pattern;
		FloeStatus st;

		if (!floe_name_parse(arena, c->name, strlen(c->name), false, levels, &n, &st))
			ok(false, "name %s", c->name);
		else if (!floe_pattern_parse(arena, c->pattern, strlen(c->pattern), &pattern, &st))
			ok(c->specificity == -2 && st.message[0] != '\0', "pattern [%s] is refused: %s", c->pattern, st.message);
		else
			is_int(floe_pattern_match(&pattern, levels, n, posix_regex, NULL), c->specificity, "[%s] on %s", c->pattern,
				   c->name);
		floe_arena_free(arena);
	}
}

static void
test_catalog(void)
{
	static const struct
	{
		const char *pattern;
		bool match;
	} cases[] = {{"demo.**", true},
				 {"**.t", true},
				 {"d*.a.b", true},
				 {"prod.**", false},
				 {"prod.**, demo.a.b", true},
				 {"/de.o/.a.b", true},
				 {"demo.a.b, !demo.**", true}};

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		FloeArena *arena = floe_arena_new(1 << 20);
		FloePattern pattern;
		FloeStatus st;
		FloeLevel demo = {"demo", 4};

		ok(floe_pattern_parse(arena, cases[i].pattern, strlen(cases[i].pattern), &pattern, &st) &&
			   floe_pattern_match_catalog(&pattern, demo, posix_regex, NULL) == cases[i].match,
		   "catalog demo and [%s]", cases[i].pattern);
		floe_arena_free(arena);
	}
}

/* ---- one pattern inside another, against what both match ---- */

#define TOKENS 6
#define PATTERNS (TOKENS * TOKENS * TOKENS)
#define NAMES (27 + 81)

typedef struct Known
{
	FloePattern pattern;
	char text[64];
	bool matches[NAMES];
} Known;

static FloeLevel name_levels[NAMES][4];
static int name_nlevels[NAMES];

static void
make_names(void)
{
	static const FloeLevel level[] = {{"a", 1}, {"b", 1}, {"ab", 2}};
	int at = 0;

	for (int n = 3; n <= 4; n++)
	{
		for (int i = 0; i < (n == 3 ? 27 : 81); i++, at++)
		{
			name_nlevels[at] = n;
			for (int j = 0, rest = i; j < n; j++, rest /= 3)
				name_levels[at][j] = level[rest % 3];
		}
	}
}

static void
make_known(Known *known, FloeArena *arena, const char *prefix, int number)
{
	static const char *const token[TOKENS] = {"a", "b", "*", "**", "?", "a*"};
	FloeStatus st;

	snprintf(known->text, sizeof(known->text), "%s%s.%s.%s", prefix, token[number % TOKENS],
			 token[number / TOKENS % TOKENS], token[number / TOKENS / TOKENS]);
	if (!floe_pattern_parse(arena, known->text, strlen(known->text), &known->pattern, &st))
		abort();
	for (int i = 0; i < NAMES; i++)
		known->matches[i] =
			floe_pattern_match(&known->pattern, name_levels[i], name_nlevels[i], posix_regex, NULL) >= 0;
}

/* What is said to be covered is; how many pairs are found of those that are, as far as these names tell. */
static void
compare_all(const Known *outer, int nouter, const Known *inner, int ninner, int least, const char *what)
{
	int wrong = 0;
	int found = 0;

	for (int i = 0; i < nouter; i++)
	{
		for (int j = 0; j < ninner; j++)
		{
			bool inside = true;

			for (int k = 0; k < NAMES; k++)
				inside &= outer[i].matches[k] || !inner[j].matches[k];
			if (!floe_pattern_covers(&outer[i].pattern, &inner[j].pattern, posix_regex, NULL))
				continue;
			found++;
			if (!inside && wrong++ < 5)
				printf("# [%s] does not cover [%s]\n", outer[i].text, inner[j].text);
		}
	}
	ok(wrong == 0, "%s: what is said to be covered is", what);
	ok(found >= least, "%s: %d pairs are found", what, found);
}

static void
test_covers(void)
{
	FloeArena *arena = floe_arena_new(64 << 20);
	Known *plain = calloc(PATTERNS, sizeof(Known));
	Known *without = calloc(2 * PATTERNS, sizeof(Known));

	make_names();
	for (int i = 0; i < PATTERNS; i++)
	{
		make_known(&plain[i], arena, "", i);
		make_known(&without[i], arena, "**, !", i);
		make_known(&without[PATTERNS + i], arena, "a.**, !", i);
	}
	compare_all(plain, PATTERNS, plain, PATTERNS, PATTERNS * 5, "plain");
	compare_all(without, 2 * PATTERNS, plain, PATTERNS, PATTERNS * 5, "with exclusions");
	compare_all(without, 2 * PATTERNS, without, 2 * PATTERNS, PATTERNS * 5, "both with exclusions");
	free(plain);
	free(without);
	floe_arena_free(arena);
}

int
main(void)
{
	test_names();
	test_patterns();
	test_catalog();
	test_covers();
	return tap_done();
}
