/*
 * trino_errors.c: Trino's errors by name and words.
 */
#include "floe.h"

#include "engine/trino_errors.h"

#include "base/utf8.h"

#include <string.h>

/* So much of a message is kept, and looked at. */
#define MESSAGE_MAX 2048

/* Both must match; the first rule that does decides. */
typedef struct ErrorRule
{
	const char *name;  /* NULL: any; ends with '*': a prefix */
	const char *words; /* somewhere in the messages, without case; NULL: any */
	FloeErrorClass error_class;
	FloeTrinoEnding ending;
	const char *meaning; /* what the message does not say; NULL: nothing */
} ErrorRule;

static const ErrorRule rules[] = {
	/* whatever the name: what the words mean */
	{"INVALID_PROCEDURE_ARGUMENT", "shorter than the minimum retention", FLOE_CLASS_CONFIG, TRINO_FAILED,
	 "the policy's age must be longer, or the engine's minimum shorter"},
	{NULL, "Unexpected FilterNode found in plan", FLOE_CLASS_PERMANENT, TRINO_FAILED,
	 "a where of Trino's optimize can only name partition columns"},
	{NULL, "Error processing metadata for table", FLOE_CLASS_PERMANENT, TRINO_FAILED, NULL},
	{NULL, "Found new conflicting delete", FLOE_CLASS_CONFLICT, TRINO_FAILED, NULL},
	{NULL, "Found conflicting files", FLOE_CLASS_CONFLICT, TRINO_FAILED, NULL},
	{NULL, "Missing required files to delete", FLOE_CLASS_CONFLICT, TRINO_FAILED, NULL},
	{NULL, "found new delete for replaced data file", FLOE_CLASS_CONFLICT, TRINO_FAILED, NULL},
	{NULL, "branch main has changed", FLOE_CLASS_CONFLICT, TRINO_FAILED, NULL},
	{NULL, "CommitFailedException", FLOE_CLASS_CONFLICT, TRINO_FAILED, NULL},
	{NULL, "CommitStateUnknownException", FLOE_CLASS_TRANSIENT, TRINO_IN_DOUBT,
	 "the table's snapshots decide whether it was committed"},
	{NULL, "OutOfMemoryError", FLOE_CLASS_RESOURCE, TRINO_FAILED, NULL},
	{NULL, "Java heap space", FLOE_CLASS_RESOURCE, TRINO_FAILED, NULL},
	{NULL, "No space left on device", FLOE_CLASS_RESOURCE, TRINO_FAILED, NULL},
	{NULL, "SlowDown", FLOE_CLASS_TRANSIENT, TRINO_FAILED, NULL},
	{NULL, "reduce your request rate", FLOE_CLASS_TRANSIENT, TRINO_FAILED, NULL},
	{NULL, "Status Code: 503", FLOE_CLASS_TRANSIENT, TRINO_FAILED, NULL},
	{NULL, "Status Code: 429", FLOE_CLASS_TRANSIENT, TRINO_FAILED, NULL},
	{NULL, "ExpiredToken", FLOE_CLASS_TRANSIENT, TRINO_FAILED, "the engine's credentials for the store ran out"},
	{NULL, "AccessDenied", FLOE_CLASS_CONFIG, TRINO_FAILED, "the engine's credentials lack a privilege in the store"},
	{NULL, "Status Code: 403", FLOE_CLASS_CONFIG, TRINO_FAILED,
	 "the store refuses the engine's credentials, or they lack a privilege"},
	{NULL, "InvalidAccessKeyId", FLOE_CLASS_CONFIG, TRINO_FAILED, NULL},
	{NULL, "SignatureDoesNotMatch", FLOE_CLASS_CONFIG, TRINO_FAILED, NULL},
	{NULL, "NoSuchBucket", FLOE_CLASS_CONFIG, TRINO_FAILED, NULL},
	{NULL, "No factory for location", FLOE_CLASS_CONFIG, TRINO_FAILED,
	 "the engine's catalog has no file system for the table's location"},
	{NULL, "NotAuthorizedException", FLOE_CLASS_CONFIG, TRINO_FAILED, "the catalog refuses the engine's credentials"},
	{NULL, "ForbiddenException", FLOE_CLASS_CONFIG, TRINO_FAILED,
	 "the engine's credentials lack a privilege in the catalog"},

	/* ended by somebody, or by a limit */
	{"USER_CANCELED", NULL, FLOE_CLASS_TRANSIENT, TRINO_INTERRUPTED, "somebody ended it at the engine"},
	{"ADMINISTRATIVELY_KILLED", NULL, FLOE_CLASS_RESOURCE, TRINO_INTERRUPTED, NULL},
	{"ADMINISTRATIVELY_PREEMPTED", NULL, FLOE_CLASS_RESOURCE, TRINO_INTERRUPTED, NULL},
	/* a statement commits before its last page is read */
	{"ABANDONED_*", NULL, FLOE_CLASS_TRANSIENT, TRINO_IN_DOUBT,
	 "nobody asked for its pages for longer than the engine's query.client.timeout; the table's snapshots decide "
	 "whether it was committed"},
	{"EXCEEDED_*", NULL, FLOE_CLASS_RESOURCE, TRINO_INTERRUPTED, NULL},
	{"CLUSTER_OUT_OF_MEMORY", NULL, FLOE_CLASS_RESOURCE, TRINO_INTERRUPTED, NULL},
	{"GENERIC_INSUFFICIENT_RESOURCES", NULL, FLOE_CLASS_RESOURCE, TRINO_INTERRUPTED, NULL},
	{"QUERY_QUEUE_FULL", NULL, FLOE_CLASS_RESOURCE, TRINO_FAILED, NULL},
	{"QUERY_REJECTED", NULL, FLOE_CLASS_RESOURCE, TRINO_FAILED, NULL},
	{"OUT_OF_SPILL_SPACE", NULL, FLOE_CLASS_RESOURCE, TRINO_INTERRUPTED, NULL},
	{"ICEBERG_TOO_MANY_OPEN_PARTITIONS", NULL, FLOE_CLASS_RESOURCE, TRINO_FAILED,
	 "slice the table by a where, or raise the engine's iceberg.max-partitions-per-writer"},

	/* another commit won */
	{"ICEBERG_COMMIT_ERROR", NULL, FLOE_CLASS_CONFLICT, TRINO_FAILED, NULL},
	{"TRANSACTION_CONFLICT", NULL, FLOE_CLASS_CONFLICT, TRINO_FAILED, NULL},

	/* network and restarts, the engine's own and of what it needs */
	{"NO_NODES_AVAILABLE", NULL, FLOE_CLASS_TRANSIENT, TRINO_FAILED, NULL},
	{"SERVER_*", NULL, FLOE_CLASS_TRANSIENT, TRINO_INTERRUPTED, NULL},
	{"PAGE_TRANSPORT_*", NULL, FLOE_CLASS_TRANSIENT, TRINO_FAILED, NULL},
	{"REMOTE_*", NULL, FLOE_CLASS_TRANSIENT, TRINO_INTERRUPTED, NULL},
	{"TOO_MANY_REQUESTS_FAILED", NULL, FLOE_CLASS_TRANSIENT, TRINO_FAILED, NULL},
	{"CATALOG_NOT_AVAILABLE", NULL, FLOE_CLASS_TRANSIENT, TRINO_FAILED, NULL},
	{"HIVE_METASTORE_ERROR", NULL, FLOE_CLASS_TRANSIENT, TRINO_FAILED, NULL},
	{"ICEBERG_CATALOG_ERROR", NULL, FLOE_CLASS_TRANSIENT, TRINO_FAILED, NULL},
	{"ICEBERG_FILESYSTEM_ERROR", NULL, FLOE_CLASS_TRANSIENT, TRINO_FAILED, NULL},
	{"ICEBERG_CANNOT_OPEN_SPLIT", NULL, FLOE_CLASS_TRANSIENT, TRINO_FAILED, NULL},
	{"ICEBERG_CURSOR_ERROR", NULL, FLOE_CLASS_TRANSIENT, TRINO_FAILED, NULL},
	{"ICEBERG_WRITER_*", NULL, FLOE_CLASS_TRANSIENT, TRINO_FAILED, NULL},
	{"GENERIC_EXTERNAL", NULL, FLOE_CLASS_TRANSIENT, TRINO_FAILED, NULL},

	/* the table as it is */
	{"ICEBERG_INVALID_METADATA", NULL, FLOE_CLASS_PERMANENT, TRINO_FAILED, NULL},
	{"ICEBERG_MISSING_METADATA", NULL, FLOE_CLASS_PERMANENT, TRINO_FAILED, NULL},
	{"ICEBERG_BAD_DATA", NULL, FLOE_CLASS_PERMANENT, TRINO_FAILED, NULL},
	{"ICEBERG_INVALID_PARTITION_VALUE", NULL, FLOE_CLASS_PERMANENT, TRINO_FAILED, NULL},
	{"ICEBERG_UNKNOWN_TABLE_TYPE", NULL, FLOE_CLASS_PERMANENT, TRINO_FAILED, NULL},
	{"UNSUPPORTED_TABLE_TYPE", NULL, FLOE_CLASS_PERMANENT, TRINO_FAILED, NULL},
	{"NOT_SUPPORTED", NULL, FLOE_CLASS_PERMANENT, TRINO_FAILED, NULL},
	{"CORRUPT_PAGE", NULL, FLOE_CLASS_TRANSIENT, TRINO_FAILED, NULL},

	/* policy, server, privileges */
	{"PERMISSION_DENIED", NULL, FLOE_CLASS_CONFIG, TRINO_FAILED, "the engine's user lacks a privilege"},
	{"CONFIGURATION_*", NULL, FLOE_CLASS_CONFIG, TRINO_FAILED, NULL},
	{"CATALOG_*", NULL, FLOE_CLASS_CONFIG, TRINO_FAILED, NULL},
	{"TABLE_NOT_FOUND", NULL, FLOE_CLASS_CONFIG, TRINO_FAILED,
	 "also what Trino says when it has no such schema or catalog: see option catalog.<name> of the engine"},
};

/* For names that no rule has. */
static const struct
{
	const char *type;
	FloeErrorClass error_class;
} types[] = {
	{"USER_ERROR", FLOE_CLASS_CONFIG},
	{"INSUFFICIENT_RESOURCES", FLOE_CLASS_RESOURCE},
	{"EXTERNAL", FLOE_CLASS_TRANSIENT},
	{"INTERNAL_ERROR", FLOE_CLASS_TRANSIENT},
};

static bool
is_name(const char *rule, const char *name)
{
	size_t len = strlen(rule);

	return rule[len - 1] == '*' ? strncmp(rule, name, len - 1) == 0 : strcmp(rule, name) == 0;
}

static bool
has_words(const char *text, const char *words)
{
	size_t len = strlen(words);

	for (; *text != '\0'; text++)
	{
		if (strncasecmp(text, words, len) == 0)
			return true;
	}
	return false;
}

static const ErrorRule *
find_rule(const char *name, const char *text)
{
	for (size_t i = 0; i < lengthof(rules); i++)
	{
		if ((rules[i].name == NULL || is_name(rules[i].name, name)) &&
			(rules[i].words == NULL || has_words(text, rules[i].words)))
			return &rules[i];
	}
	return NULL;
}

/* Without its package, its frames and what follows the first line that says something. */
static void
append_words(FloeBuf *out, const FloeSecrets *secrets, const char *text)
{
	FloeBuf masked;
	size_t len = strnlen(text, MESSAGE_MAX * 8);
	const char *end;

	/* a secret of one byte becomes three */
	floe_buf_init(&masked, len * 3 + 1);
	if (floe_secrets_append(secrets, &masked, text, len) && masked.data != NULL)
	{
		end = strstr(masked.data, "\n\tat ");
		len = Min(end != NULL ? (size_t) (end - masked.data) : masked.len, (size_t) MESSAGE_MAX);
		floe_utf8_append(out, masked.data, len);
	}
	floe_buf_free(&masked);
}

static const char *
without_package(const char *exception)
{
	const char *dot = strrchr(exception, '.');

	return dot != NULL ? dot + 1 : exception;
}

FloeErrorClass
floe_trino_error_read(const FloeTrinoError *error, const FloeSecrets *secrets, char *line, size_t size,
					  FloeTrinoEnding *ending)
{
	const char *name = error->name != NULL ? error->name : "";
	bool has_cause = error->cause_message != NULL && error->cause_message[0] != '\0' &&
					 (error->message == NULL || strstr(error->message, error->cause_message) == NULL);
	FloeErrorClass error_class = FLOE_CLASS_TRANSIENT;
	const ErrorRule *rule;
	FloeBuf out;

	floe_buf_init(&out, MESSAGE_MAX * 16);
	append_words(&out, secrets, name);
	if (error->message != NULL && error->message[0] != '\0')
	{
		floe_buf_text(&out, out.len > 0 ? ": " : "");
		append_words(&out, secrets, error->message);
	}
	if (has_cause)
	{
		floe_buf_text(&out, "; caused by ");
		append_words(&out, secrets, without_package(error->cause_type != NULL ? error->cause_type : "an exception"));
		floe_buf_text(&out, ": ");
		append_words(&out, secrets, error->cause_message);
	}
	for (size_t i = 0; error->type != NULL && i < lengthof(types); i++)
	{
		if (strcmp(types[i].type, error->type) == 0)
			error_class = types[i].error_class;
	}
	rule = find_rule(name, out.data != NULL ? out.data : "");
	if (rule != NULL)
		error_class = rule->error_class;
	*ending = rule != NULL ? rule->ending : TRINO_FAILED;
	if (rule != NULL && rule->meaning != NULL)
		floe_buf_printf(&out, " (%s)", rule->meaning);
	if (out.len == 0)
		floe_buf_text(&out, "the engine reports an error without a message");
	floe_copy_text(line, size, out.data != NULL ? out.data : "", out.len);
	floe_utf8_one_line(line);
	floe_buf_free(&out);
	return error_class;
}
