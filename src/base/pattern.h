/*
 * pattern.h: table names and patterns over them in text form.
 *
 * A table is catalog, one or more namespace levels and a name.  In text form
 * the levels are joined with dots; a level that holds a dot, a quote or a
 * character that means something in a pattern stands in double quotes, with
 * quotes inside doubled.  Case is kept, never folded.
 *
 * A pattern is a comma-separated list of the same form, where
 *   *  ?      stand for any run of characters, one character, inside a level;
 *   **        stands for any number of levels;
 *   /regex/   is a regular expression (PostgreSQL ARE) for one whole level;
 *   !pattern  excludes.
 * Quoted levels are literal.  Pure: regular expressions are the caller's.
 */
#ifndef FLOE_BASE_PATTERN_H
#define FLOE_BASE_PATTERN_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

typedef struct FloeLevel
{
	const char *data;
	size_t len;
} FloeLevel;

#define FLOE_NAME_MAX_BYTES 8192
#define FLOE_NAME_MAX_LEVELS 32

/*
 * Levels of a table name, in the arena; fails with FLOE_ERR_CONFIG and the
 * reason.  At least three levels unless any_depth.
 */
extern bool floe_name_parse(FloeArena *arena, const char *text, size_t len, bool any_depth, FloeLevel *levels,
							int *nlevels, FloeStatus *st);

/* Appends the text form; false when the buffer refuses. */
extern bool floe_name_format(FloeBuf *out, const FloeLevel *levels, int nlevels);

typedef enum FloeTokenKind
{
	FLOE_TOKEN_LITERAL,
	FLOE_TOKEN_GLOB,
	FLOE_TOKEN_REGEX,
	FLOE_TOKEN_ANY /* any number of levels */
} FloeTokenKind;

typedef struct FloePatternItem
{
	bool exclude;
	int ntokens;
	FloeTokenKind kinds[FLOE_NAME_MAX_LEVELS];
	FloeLevel texts[FLOE_NAME_MAX_LEVELS]; /* unquoted; a regex without its slashes */
} FloePatternItem;

#define FLOE_PATTERN_MAX_ITEMS 64

typedef struct FloePattern
{
	int nitems;
	FloePatternItem *items;
} FloePattern;

/* In the arena; fails with FLOE_ERR_CONFIG and the reason. Does not check that regular expressions compile. */
extern bool floe_pattern_parse(FloeArena *arena, const char *text, size_t len, FloePattern *pattern, FloeStatus *st);

/* True when the regular expression matches the whole text; may throw, as it runs in the caller's regime. */
typedef bool (*FloeRegexMatch)(void *arg, FloeLevel regex, FloeLevel text);

/*
 * Specificity of the best positive item that matches, -1 when none does or an
 * exclusion does.  More literal levels give a greater number, whatever else;
 * then more levels with a glob or a regex.
 */
extern int floe_pattern_match(const FloePattern *pattern, const FloeLevel *levels, int nlevels, FloeRegexMatch regex,
							  void *arg);

/* Whether any positive item can match a table of that catalog. */
extern bool floe_pattern_match_catalog(const FloePattern *pattern, FloeLevel catalog, FloeRegexMatch regex, void *arg);

/*
 * Whether outer matches every table that inner can match.  True only where
 * the texts show it: of globs and regular expressions inside a level only
 * equal ones and "*" are known to contain each other.
 */
extern bool floe_pattern_covers(const FloePattern *outer, const FloePattern *inner, FloeRegexMatch regex, void *arg);

#endif /* FLOE_BASE_PATTERN_H */
