/*
 * predicate.c: reading predicates into a tree, with caps on bytes, depth and items.
 *
 * Separate from what the tree is used for.  NOT is worked into the leaves on
 * the way (SQL's three-valued logic allows that), so nobody who renders has
 * to think about it.
 */
#include "floe.h"

#include "engine/predicate_words.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* -------------------------------------------------------------------------
 * The tree
 * ------------------------------------------------------------------------- */

static FloePredicate *
new_node(FloeWords *r, FloePredicateKind kind)
{
	FloePredicate *node = floe_words_count_item(r) ? floe_arena_alloc0(r->arena, sizeof(FloePredicate)) : NULL;

	if (node != NULL)
		node->kind = kind;
	else if (r->items <= FLOE_PREDICATE_MAX_ITEMS)
		floe_words_no_memory(r);
	return node;
}

static FloePredicate *
new_leaf(FloeWords *r, const FloePredicate *column, FloePredicateKind kind, const FloeLiteral *values, int nvalues)
{
	FloePredicate *node = new_node(r, kind);
	FloeLiteral *copy = floe_arena_alloc(r->arena, (size_t) nvalues * sizeof(FloeLiteral));

	if (node == NULL || copy == NULL)
	{
		floe_words_no_memory(r);
		return NULL;
	}
	if (nvalues > 0)
		memcpy(copy, values, (size_t) nvalues * sizeof(FloeLiteral));
	node->parts = column->parts;
	node->nparts = column->nparts;
	node->full_name = column->full_name;
	node->values = copy;
	node->nvalues = nvalues;
	return node;
}

static FloePredicate *
new_compare(FloeWords *r, const FloePredicate *column, FloeCompare compare, const FloeLiteral *value, bool negated)
{
	static const FloeCompare opposite[] = {FLOE_COMPARE_NE, FLOE_COMPARE_EQ, FLOE_COMPARE_GE,
										   FLOE_COMPARE_GT, FLOE_COMPARE_LE, FLOE_COMPARE_LT};
	FloePredicate *node = new_leaf(r, column, FLOE_PREDICATE_COMPARE, value, 1);

	if (node != NULL)
		node->compare = negated ? opposite[compare] : compare;
	return node;
}

static FloePredicate *
new_pair(FloeWords *r, FloePredicateKind kind, FloePredicate *left, FloePredicate *right)
{
	FloePredicate *node = left != NULL && right != NULL ? new_node(r, kind) : NULL;

	if (node != NULL)
	{
		node->left = left;
		node->right = right;
	}
	return node;
}

/* Behind IN. */
static FloePredicate *
read_in(FloeWords *r, const FloePredicate *column, bool negated)
{
	FloePredicate *node = new_leaf(r, column, FLOE_PREDICATE_IN, NULL, 0);
	FloeLiteral *values = NULL;
	int room = 0;

	if (node == NULL || !floe_words_expect_sign(r, '(', "a list in parentheses is missing"))
		return NULL;
	node->negated = negated;
	for (;;)
	{
		if (node->nvalues == room)
		{
			FloeLiteral *more = floe_arena_alloc(r->arena, (size_t) (room * 2 + 8) * sizeof(FloeLiteral));

			if (more == NULL)
			{
				floe_words_no_memory(r);
				return NULL;
			}
			if (room > 0)
				memcpy(more, values, (size_t) room * sizeof(FloeLiteral));
			room = room * 2 + 8;
			node->values = values = more;
		}
		if (!floe_words_need_literal(r, &values[node->nvalues++]))
			return NULL;
		if (floe_words_is_sign(r, ','))
		{
			if (!floe_words_advance(r))
				return NULL;
		}
		else
			return floe_words_expect_sign(r, ')', "a comma or parenthesis is missing") ? node : NULL;
	}
}

/* Behind LIKE: a beginning, or a text without wildcards. */
static FloePredicate *
read_like(FloeWords *r, const FloePredicate *column, bool negated)
{
	FloeLiteral value = {FLOE_LITERAL_TEXT, NULL, 0};
	FloePredicate *node;
	size_t len;
	char *beginning;

	if (r->kind != FLOE_TOKEN_TEXT)
	{
		floe_words_refuse(r, "a text is missing");
		return NULL;
	}
	len = strlen(r->value);
	if (strpbrk(r->value, "%_") != NULL && (strcspn(r->value, "%_") != len - 1 || r->value[len - 1] != '%' || len == 1))
	{
		floe_words_refuse(r, "LIKE takes a beginning only, such as 'abc%'");
		return NULL;
	}
	beginning = floe_arena_text(r->arena, r->value, len);
	if (beginning == NULL)
	{
		floe_words_no_memory(r);
		return NULL;
	}
	value.text = beginning;
	if (len == 0 || beginning[len - 1] != '%')
		node = new_compare(r, column, FLOE_COMPARE_EQ, &value, negated);
	else
	{
		beginning[len - 1] = '\0';
		node = new_leaf(r, column, FLOE_PREDICATE_BEGINS, &value, 1);
		if (node != NULL)
			node->negated = negated;
	}
	return node != NULL && floe_words_advance(r) ? node : NULL;
}

/* Behind BETWEEN. */
static FloePredicate *
read_between(FloeWords *r, const FloePredicate *column, bool negated)
{
	FloeLiteral low, high;

	if (!floe_words_need_literal(r, &low))
		return NULL;
	if (!floe_words_is_word(r, "and"))
	{
		floe_words_refuse(r, "AND is missing");
		return NULL;
	}
	if (!floe_words_advance(r) || !floe_words_need_literal(r, &high))
		return NULL;
	return new_pair(r, negated ? FLOE_PREDICATE_OR : FLOE_PREDICATE_AND,
					new_compare(r, column, FLOE_COMPARE_GE, &low, negated),
					new_compare(r, column, FLOE_COMPARE_LE, &high, negated));
}

static FloePredicate *
read_null(FloeWords *r, const FloePredicate *column, bool negated)
{
	FloePredicate *node = new_leaf(r, column, FLOE_PREDICATE_NULL, NULL, 0);

	if (node == NULL)
		return NULL;
	if (floe_words_is_word(r, "not"))
	{
		negated = !negated;
		if (!floe_words_advance(r))
			return NULL;
	}
	node->negated = negated;
	if (!floe_words_is_word(r, "null"))
	{
		floe_words_refuse(r, "NULL is missing");
		return NULL;
	}
	return floe_words_advance(r) ? node : NULL;
}

/* A comparison that begins with its column. */
static FloePredicate *
read_of_column(FloeWords *r, bool negated)
{
	static const FloeLiteral yes = {FLOE_LITERAL_BOOLEAN, NULL, 1};
	FloePredicate column;
	FloeLiteral value;

	if (!floe_words_read_column(r, &column))
		return NULL;
	if (r->kind == FLOE_TOKEN_COMPARE)
	{
		FloeCompare compare = r->compare;

		return floe_words_advance(r) && floe_words_need_literal(r, &value)
				   ? new_compare(r, &column, compare, &value, negated)
				   : NULL;
	}
	if (floe_words_is_word(r, "is"))
		return floe_words_advance(r) ? read_null(r, &column, negated) : NULL;
	if (floe_words_is_word(r, "not"))
	{
		negated = !negated;
		if (!floe_words_advance(r))
			return NULL;
		if (!floe_words_is_word(r, "in") && !floe_words_is_word(r, "like") && !floe_words_is_word(r, "between"))
		{
			floe_words_refuse(r, "IN, LIKE or BETWEEN is missing");
			return NULL;
		}
	}
	if (floe_words_is_word(r, "in"))
		return floe_words_advance(r) ? read_in(r, &column, negated) : NULL;
	if (floe_words_is_word(r, "like"))
		return floe_words_advance(r) ? read_like(r, &column, negated) : NULL;
	if (floe_words_is_word(r, "between"))
		return floe_words_advance(r) ? read_between(r, &column, negated) : NULL;
	return new_compare(r, &column, FLOE_COMPARE_EQ, &yes, negated);
}

/* A comparison that begins with its value, or TRUE or FALSE alone. */
static FloePredicate *
read_of_literal(FloeWords *r, const FloeLiteral *value, bool negated)
{
	static const FloeCompare turned[] = {FLOE_COMPARE_EQ, FLOE_COMPARE_NE, FLOE_COMPARE_GT,
										 FLOE_COMPARE_GE, FLOE_COMPARE_LT, FLOE_COMPARE_LE};
	FloePredicate column;
	FloeCompare compare = r->compare;

	if (r->kind == FLOE_TOKEN_COMPARE)
		return floe_words_advance(r) && floe_words_read_column(r, &column)
				   ? new_compare(r, &column, turned[compare], value, negated)
				   : NULL;
	if (value->kind == FLOE_LITERAL_BOOLEAN)
		return new_node(r, (value->number != 0) != negated ? FLOE_PREDICATE_TRUE : FLOE_PREDICATE_FALSE);
	floe_words_refuse(r, "a comparison is missing");
	return NULL;
}

static FloePredicate *read_or(FloeWords *r, bool negated);

static FloePredicate *
read_primary(FloeWords *r, bool negated)
{
	FloeLiteral value;
	bool found;

	if (floe_words_is_sign(r, '('))
	{
		FloePredicate *inner = floe_words_advance(r) ? read_or(r, negated) : NULL;

		return inner != NULL && floe_words_expect_sign(r, ')', "a parenthesis is not closed") ? inner : NULL;
	}
	if (!floe_words_read_literal(r, &value, &found))
		return NULL;
	return found ? read_of_literal(r, &value, negated) : read_of_column(r, negated);
}

static FloePredicate *
read_not(FloeWords *r, bool negated)
{
	while (floe_words_is_word(r, "not"))
	{
		negated = !negated;
		if (!floe_words_advance(r))
			return NULL;
	}
	return read_primary(r, negated);
}

static FloePredicate *
read_and(FloeWords *r, bool negated)
{
	FloePredicate *node = read_not(r, negated);

	while (node != NULL && floe_words_is_word(r, "and"))
		node = floe_words_advance(r)
				   ? new_pair(r, negated ? FLOE_PREDICATE_OR : FLOE_PREDICATE_AND, node, read_not(r, negated))
				   : NULL;
	return node;
}

static FloePredicate *
read_or(FloeWords *r, bool negated)
{
	FloePredicate *node;

	if (++r->depth > FLOE_PREDICATE_MAX_DEPTH)
	{
		floe_fail(r->st, FLOE_ERR_TOO_LARGE, "parentheses are more than %d deep", FLOE_PREDICATE_MAX_DEPTH);
		return NULL;
	}
	node = read_and(r, negated);
	while (node != NULL && floe_words_is_word(r, "or"))
		node = floe_words_advance(r)
				   ? new_pair(r, negated ? FLOE_PREDICATE_AND : FLOE_PREDICATE_OR, node, read_and(r, negated))
				   : NULL;
	r->depth--;
	return node;
}

FloePredicate *
floe_predicate_parse(const char *text, FloeArena *arena, FloeStatus *st)
{
	FloeWords r = {.text = text, .arena = arena, .st = st};
	FloePredicate *node;

	floe_status_ok(st);
	if (strlen(text) > FLOE_PREDICATE_MAX_BYTES)
	{
		floe_fail(st, FLOE_ERR_TOO_LARGE, "a predicate of more than %d bytes", FLOE_PREDICATE_MAX_BYTES);
		return NULL;
	}
	node = floe_words_advance(&r) ? read_or(&r, false) : NULL;
	if (node != NULL && r.kind != FLOE_TOKEN_END)
	{
		floe_words_refuse(&r, "nothing may stand here any more");
		return NULL;
	}
	return node;
}
