/*
 * trino_errors.h: what Trino says about a failure: one line for people, one class for floe.
 *
 * Trino names its errors (StandardErrorCode and each connector's own); some
 * names say too little (GENERIC_INTERNAL_ERROR, ICEBERG_COMMIT_ERROR of any
 * cause), so words of the message come first.
 */
#ifndef FLOE_ENGINE_TRINO_ERRORS_H
#define FLOE_ENGINE_TRINO_ERRORS_H

#include "engine/ops.h"
#include "engine/secrets.h"

/* As the server gave it; any may be NULL. */
typedef struct FloeTrinoError
{
	const char *name; /* "TABLE_NOT_FOUND" */
	const char *type; /* USER_ERROR, INTERNAL_ERROR, INSUFFICIENT_RESOURCES, EXTERNAL */
	const char *message;
	const char *cause_type;    /* class of the innermost cause */
	const char *cause_message; /* and what it says */
} FloeTrinoError;

typedef enum FloeTrinoEnding
{
	TRINO_FAILED,      /* by itself */
	TRINO_INTERRUPTED, /* by somebody, or by a limit, perhaps in the middle of a commit */
	TRINO_IN_DOUBT     /* it may have committed: nothing it says can decide that */
} FloeTrinoEnding;

/*
 * line becomes "NAME: message; caused by Exception: message (meaning)", in
 * valid UTF-8 without control characters or secrets, cut at size.
 */
extern FloeErrorClass floe_trino_error_read(const FloeTrinoError *error, const FloeSecrets *secrets, char *line,
											size_t size, FloeTrinoEnding *ending);

#endif /* FLOE_ENGINE_TRINO_ERRORS_H */
