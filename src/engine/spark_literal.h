/*
 * spark_literal.h: names and texts in a form that every Spark reads back as they were.
 *
 * The text of a CALL is read by Iceberg's parser (Spark 3.5) or Spark's own
 * (4.0), whose rules depend on settings of the session that floe does not
 * know.  So only forms are written that mean the same under all of them, and
 * what has no such form is refused:
 *
 *   backslash   unescaped or not: spark.sql.parser.escapedStringLiterals.
 *               There is no literal that is one backslash under both.
 *   ${…}        Spark replaces it in the text of a statement before parsing,
 *               in literals too, and again where a text is parsed later.
 *   quotes      '' is two literals joined to one without a quote (standard SQL
 *               reads one quote); \' depends on the setting above.  A quote is
 *               therefore written between quotes of the other kind, and
 *               adjacent literals are joined.  With
 *               spark.sql.ansi.doubleQuotedIdentifiers that is a syntax error,
 *               never another text; the adapters turn that setting off.
 *
 * Line breaks, comment markers and semicolons need no care inside quotes.
 */
#ifndef FLOE_ENGINE_SPARK_LITERAL_H
#define FLOE_ENGINE_SPARK_LITERAL_H

#include "base/buf.h"
#include "base/status.h"

/* False (FLOE_ERR_UNSUPPORTED) when the text has no safe form; what names it in the message. */
extern bool floe_spark_text_check(const char *text, const char *what, FloeStatus *st);

/* Appends a string literal; the text has passed floe_spark_text_check(). */
extern void floe_spark_quote_text(FloeBuf *buf, const char *text);

/* Appends an identifier in back-ticks, those inside doubled.  Names are never empty. */
extern void floe_spark_quote_name(FloeBuf *buf, const char *name);

#endif /* FLOE_ENGINE_SPARK_LITERAL_H */
