/*
 * spark_errors.h: what Spark says about a failure: one line for people, one class for floe.
 *
 * Servers answer with a Java exception, its causes and up to 32 kB of stack
 * trace.  The outer message is often empty of meaning ("Error occurred while
 * processing GET request") and the innermost cause is the reason ("Connection
 * refused"), so both are kept and everything between them is dropped.
 */
#ifndef FLOE_ENGINE_SPARK_ERRORS_H
#define FLOE_ENGINE_SPARK_ERRORS_H

#include "engine/ops.h"

/*
 * line becomes "Exception: message; caused by Exception: message", in valid
 * UTF-8 without control characters, cut at size; when the class is known for
 * something that the message does not say, that follows in brackets.  An empty
 * text gives an empty line and FLOE_CLASS_TRANSIENT.  *in_doubt: whether it had
 * committed is not known.  Secrets must have been masked before: what is cut
 * here cannot be recognised afterwards.
 */
extern FloeErrorClass floe_spark_error_read(const char *text, size_t len, char *line, size_t size, bool *in_doubt);

#endif /* FLOE_ENGINE_SPARK_ERRORS_H */
