/*
 * predicate_words.h: the words and values that a predicate is written with; private to predicate*.c.
 */
#ifndef FLOE_ENGINE_PREDICATE_WORDS_H
#define FLOE_ENGINE_PREDICATE_WORDS_H

#include "engine/predicate.h"

typedef enum FloeTokenKind
{
	FLOE_TOKEN_END,
	FLOE_TOKEN_WORD, /* a bare name or a keyword */
	FLOE_TOKEN_NAME, /* a quoted name */
	FLOE_TOKEN_TEXT,
	FLOE_TOKEN_NUMBER,
	FLOE_TOKEN_COMPARE,
	FLOE_TOKEN_SIGN /* one of ( ) , . + - */
} FloeTokenKind;

typedef struct FloeWords
{
	const char *text;
	size_t at; /* behind the token */
	FloeArena *arena;
	FloeStatus *st;
	int depth;
	int items;

	FloeTokenKind kind;
	size_t start;      /* of the token */
	const char *value; /* of words, names, texts and numbers */
	char sign;
	FloeCompare compare;
} FloeWords;

/* All return false, with st set, when the text is not understood. */
extern bool floe_words_advance(FloeWords *r); /* to the next token */
extern bool floe_words_expect_sign(FloeWords *r, char sign, const char *why);
extern bool floe_words_refuse(FloeWords *r, const char *why); /* at the present token */
extern bool floe_words_no_memory(FloeWords *r);
extern bool floe_words_count_item(FloeWords *r);

extern bool floe_words_is_word(const FloeWords *r, const char *word);
extern bool floe_words_is_sign(const FloeWords *r, char sign);

/* found false: what stands here is no value. */
extern bool floe_words_read_literal(FloeWords *r, FloeLiteral *to, bool *found);
extern bool floe_words_need_literal(FloeWords *r, FloeLiteral *to);

/* a.b.c into parts, nparts and full_name of the node, everything else zero. */
extern bool floe_words_read_column(FloeWords *r, FloePredicate *column);

#endif /* FLOE_ENGINE_PREDICATE_WORDS_H */
