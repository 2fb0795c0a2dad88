/*
 * test_metadata_rules.c: what a reader of table metadata must refuse, and what it must not.
 *
 * Each case changes one place of a small document; the answer is a code and
 * the whole message, or acceptance.
 */
#include "floe.h"

#include "base/buf.h"
#include "iceberg/metadata.h"

#include "tap.h"

#include <stdlib.h>

#define V2 2
#define V1 1
#define V3 3
#define LOAD 9

static const char v2[] =
	"{\"format-version\":2,\"table-uuid\":\"9c12d441-03fe-4693-9a96-a0705ddf69c1\",\"location\":\"s3://b/t\","
	"\"last-sequence-number\":5,\"last-updated-ms\":1000,\"last-column-id\":3,\"current-schema-id\":0,\"schemas\":[{"
	"\"type\":\"struct\",\"schema-id\":0,\"fields\":[{\"id\":1,\"name\":\"a\",\"required\":true,\"type\":\"long\"},{"
	"\"id\":2,"
	"\"name\":\"l\",\"required\":false,\"type\":{\"type\":\"list\",\"element-id\":3,\"element\":\"int\",\"element-"
	"required\":true}}]"
	"}],\"default-spec-id\":0,\"partition-specs\":[{\"spec-id\":0,\"fields\":[{\"name\":\"p\",\"transform\":"
	"\"identity\","
	"\"source-id\":1,\"field-id\":1000},{\"name\":\"q\",\"transform\":\"day\",\"source-id\":1,\"field-id\":1001}]}],"
	"\"last-partition-id\":1001,\"default-sort-order-id\":1,\"sort-orders\":[{\"order-id\":1,\"fields\":[{"
	"\"transform\":"
	"\"identity\",\"source-id\":1,\"direction\":\"asc\",\"null-order\":\"nulls-first\"}]}],\"properties\":{\"k\":\"v\","
	"\"k2\":\"w\"},"
	"\"current-snapshot-id\":20,\"snapshots\":[{\"snapshot-id\":10,\"timestamp-ms\":900,\"sequence-number\":4,"
	"\"summary\":{"
	"\"operation\":\"append\",\"total-records\":\"7\"},\"manifest-list\":\"s3://b/t/1\"},{\"snapshot-id\":20,"
	"\"parent-snapshot-id\":10,\"timestamp-ms\":950,\"sequence-number\":5,\"summary\":{\"operation\":\"append\"},"
	"\"manifest-list\":\"s3://b/t/"
	"2\"}],\"refs\":{\"main\":{\"snapshot-id\":20,\"type\":\"branch\"},\"t\":{\"snapshot-id\":10,"
	"\"type\":\"tag\",\"max-ref-age-ms\":7}},\"snapshot-log\":[{\"snapshot-id\":20,\"timestamp-ms\":950}],\"metadata-"
	"log\":[{"
	"\"metadata-file\":\"f\",\"timestamp-ms\":940}],\"statistics\":[{\"snapshot-id\":20,\"statistics-path\":\"f\","
	"\"file-size-in-bytes\":5}],\"partition-"
	"statistics\":[]}";

static const char v1[] =
	"{\"format-version\":1,\"location\":\"s3://b/"
	"t\",\"last-updated-ms\":1000,\"last-column-id\":1,\"schema\":{\"type\":"
	"\"struct\",\"fields\":[{\"id\":1,\"name\":\"a\",\"required\":true,\"type\":\"long\"}]},\"partition-spec\":[],"
	"\"current-snapshot-id\":10,\"snapshots\":[{\"snapshot-id\":10,\"timestamp-ms\":900,\"manifests\":[\"m\"]}]}";

typedef struct Case
{
	const char *what;
	int base;
	const char *from; /* this text, its first occurrence, */
	const char *to;   /* becomes this */
	FloeCode code;
	const char *message; /* behind "table metadata: " or "loadTable answer: " */
} Case;

#define FINE FLOE_OK, NULL
#define CORRUPT FLOE_ERR_CORRUPT
#define ANSWER FLOE_ERR_PROTOCOL

static const Case cases[] = {
	{"the document itself", V2, "", "", FINE},
	{"white space around it", V2, "{", " \n{", FINE},
	/* format version */
	{"version 4", V2, "\"format-version\":2", "\"format-version\":4", FLOE_ERR_UNSUPPORTED,
	 "table uses format version 4, floe reads 1 to 3"},
	{"version 0", V2, "\"format-version\":2", "\"format-version\":0", FLOE_ERR_UNSUPPORTED,
	 "table uses format version 0, floe reads 1 to 3"},
	{"version 4 with something else wrong behind it", V2, "2,\"table-uuid\":\"9", "4,\"table-uuid\":\"",
	 FLOE_ERR_UNSUPPORTED, "table uses format version 4, floe reads 1 to 3"},
	{"a version that is text", V2, "\"format-version\":2", "\"format-version\":\"2\"", CORRUPT,
	 "\"format-version\" must be an integer of 32 bits"},
	{"version 2.0", V2, "\"format-version\":2", "\"format-version\":2.0", CORRUPT,
	 "\"format-version\" must be an integer of 32 bits"},
	{"no version", V2, "\"format-version\":2,", "", CORRUPT, "\"format-version\" is missing"},
	{"a null version", V2, "\"format-version\":2", "\"format-version\":null", CORRUPT, "\"format-version\" is missing"},
	/* required and optional keys */
	{"no uuid in v2", V2, "table-uuid", "x", CORRUPT, "\"table-uuid\" is missing"},
	{"no uuid in v1", V1, "", "", FINE},
	{"a uuid that is none", V2, "9c12d441-03fe-4693-9a96-a0705ddf69c1", "9c12d441-03fe-4693-9a96-a0705ddf69cg", CORRUPT,
	 "\"table-uuid\" is not a UUID"},
	{"a uuid too long", V2, "a0705ddf69c1", "a0705ddf69c12", CORRUPT, "\"table-uuid\" is not a UUID"},
	{"a uuid without dashes", V2, "9c12d441-03fe-4693-9a96-a0705ddf69c1", "9c12d44103fe46939a96a0705ddf69c1", CORRUPT,
	 "\"table-uuid\" is not a UUID"},
	{"no location", V2, "\"location\"", "\"x\"", CORRUPT, "\"location\" is missing"},
	{"an empty location", V2, "\"location\":\"s3://b/t\"", "\"location\":\"\"", CORRUPT,
	 "\"location\" must not be empty"},
	{"a location with a NUL", V2, "s3://b/t\"", "s3://b\\u0000/t\"", CORRUPT, "\"location\" contains a NUL character"},
	{"no last-sequence-number in v2", V2, "last-sequence-number", "x", CORRUPT, "\"last-sequence-number\" is missing"},
	{"a negative last-sequence-number", V2, "number\":5", "number\":-5", CORRUPT,
	 "\"last-sequence-number\" must not be negative"},
	{"no last-updated-ms", V2, "last-updated-ms", "x", CORRUPT, "\"last-updated-ms\" is missing"},
	{"a negative last-updated-ms", V2, "-ms\":1000", "-ms\":-1", CORRUPT, "\"last-updated-ms\" must not be negative"},
	{"no last-column-id", V2, "last-column-id", "x", CORRUPT, "\"last-column-id\" is missing"},
	{"no last-partition-id in v2", V2, "last-partition-id", "x", CORRUPT, "\"last-partition-id\" is missing"},
	{"no sort-orders in v2", V2, "\"sort-orders\"", "\"x\"", CORRUPT, "\"sort-orders\" is missing"},
	{"no properties", V2, "\"properties\"", "\"x\"", FINE},
	{"null properties", V2, "{\"k\":\"v\",\"k2\":\"w\"}", "null", FINE},
	{"no logs", V2, "\"snapshot-log\"", "\"x\"", FINE},
	{"no next-row-id in v3", V2, "\"format-version\":2", "\"format-version\":3", CORRUPT, "\"next-row-id\" is missing"},
	{"next-row-id in v3", V2, "\"format-version\":2", "\"next-row-id\":9,\"format-version\":3", FINE},
	{"a key twice", V2, "\"location\"", "\"location\":\"x\",\"location\"", CORRUPT, "\"location\" stands there twice"},
	{"an unknown key twice", V2, "\"location\"", "\"x\":{},\"x\":{},\"location\"", FINE},
	{"an integer too large", V2, "-ms\":1000", "-ms\":9223372036854775808", CORRUPT,
	 "\"last-updated-ms\" must be an integer of 64 bits"},
	{"an id beyond 32 bits", V2, "last-column-id\":3", "last-column-id\":2147483648", CORRUPT,
	 "\"last-column-id\" must be an integer of 32 bits"},
	{"an array for an object", V2, "{\"k\":\"v\",\"k2\":\"w\"}", "[]", CORRUPT, "\"properties\" must be an object"},
	{"true for an array", V2, "\"snapshot-log\":[", "\"snapshot-log\":true,\"x\":[", CORRUPT,
	 "\"snapshot-log\" must be an array"},
	/* properties */
	{"a property that is no string", V2, "\"k\":\"v\"", "\"k\":1", CORRUPT, "\"properties.k\" must be a string"},
	{"a property that is null", V2, "\"k\":\"v\"", "\"k\":null", FINE},
	{"a property twice", V2, "\"k2\"", "\"k\"", CORRUPT, "\"properties.k\" stands there twice"},
	{"a property's name with a NUL", V2, "\"k2\"", "\"k\\u0000\"", CORRUPT,
	 "\"properties[1]\" contains a NUL character"},
	{"a property's name is made fit for a message", V2, "\"k\":\"v\"", "\"a\\n\\\"b\":{}", CORRUPT,
	 "\"properties.a??b\" must be a string"},
	/* snapshots */
	{"no snapshots but a current one", V2, "\"snapshots\"", "\"x\"", CORRUPT,
	 "\"current-snapshot-id\" names no snapshot"},
	{"a snapshot that is null", V2, "\"snapshots\":[", "\"snapshots\":[null,", CORRUPT,
	 "\"snapshots[0]\" must be an object"},
	{"a snapshot without an id", V2, "{\"snapshot-id\":10,", "{", CORRUPT, "\"snapshots[0].snapshot-id\" is missing"},
	{"a snapshot without a time", V2, "\"timestamp-ms\":950", "\"x\":1", CORRUPT,
	 "\"snapshots[1].timestamp-ms\" is missing"},
	{"a negative time", V2, "\"timestamp-ms\":950", "\"timestamp-ms\":-950", CORRUPT,
	 "\"snapshots[1].timestamp-ms\" must not be negative"},
	{"no sequence number: from version 1", V2, ",\"sequence-number\":4", "", FINE},
	{"a negative sequence number", V2, "\"sequence-number\":4", "\"sequence-number\":-4", CORRUPT,
	 "\"snapshots[0].sequence-number\" must not be negative"},
	{"a sequence number beyond the last", V2, "\"sequence-number\":4", "\"sequence-number\":6", CORRUPT,
	 "\"snapshots[0].sequence-number\" is beyond last-sequence-number"},
	{"no manifest list", V2, ",\"manifest-list\":\"s3://b/t/1\"", "", CORRUPT,
	 "\"snapshots[0].manifest-list\" is missing"},
	{"an empty manifest list", V2, "s3://b/t/1", "", CORRUPT, "\"snapshots[0].manifest-list\" must not be empty"},
	{"inline manifests from version 1", V2, "\"manifest-list\":\"s3://b/t/1\"", "\"manifests\":[]", FINE},
	{"a manifest that is no path", V1, "[\"m\"]", "[\"m\",5]", CORRUPT,
	 "\"snapshots[0].manifests[1]\" must be a string"},
	{"a null manifest", V1, "[\"m\"]", "[null]", CORRUPT, "\"snapshots[0].manifests[0]\" must be a string"},
	{"the same snapshot twice", V2, "\"snapshot-id\":10", "\"snapshot-id\":20", CORRUPT,
	 "\"snapshots[1].snapshot-id\" stands there twice"},
	{"its own parent", V2, "parent-snapshot-id\":10", "parent-snapshot-id\":20", CORRUPT,
	 "\"snapshots[1].parent-snapshot-id\" makes the snapshot its own ancestor"},
	{"an expired parent", V2, "parent-snapshot-id\":10", "parent-snapshot-id\":9", FINE},
	{"a null parent", V2, "parent-snapshot-id\":10", "parent-snapshot-id\":null", FINE},
	{"no summary", V2, ",\"summary\":{\"operation\":\"append\",\"total-records\":\"7\"}", "", FINE},
	{"a summary that is text", V2, "{\"operation\":\"append\"}", "\"append\"", CORRUPT,
	 "\"snapshots[1].summary\" must be an object"},
	{"a summary with its engine", V2, "{\"operation\":\"append\"}",
	 "{\"operation\":\"append\",\"engine-name\":\"spark\",\"trino_query_id\":\"q\"}", FINE},
	{"a summary without an operation", V2, "\"operation\":\"append\",", "", FINE},
	{"an operation that is no string", V2, "\"operation\":\"append\",", "\"operation\":1,", CORRUPT,
	 "\"snapshots[0].summary.operation\" must be a string"},
	{"a counter that is a number", V2, "\"total-records\":\"7\"", "\"total-records\":7", FINE},
	{"a counter that is an object", V2, "\"total-records\":\"7\"", "\"total-records\":{\"a\":[]}", FINE},
	{"a counter twice", V2, "\"total-records\":\"7\"", "\"total-records\":\"7\",\"total-records\":\"8\"", CORRUPT,
	 "\"snapshots[0].summary.total-records\" stands there twice"},
	{"no current snapshot, no main", V2, "\"current-snapshot-id\":20", "\"x\":1", CORRUPT,
	 "\"refs.main.snapshot-id\" is not the current snapshot"},
	{"-1 is none", V1, "\"current-snapshot-id\":10", "\"current-snapshot-id\":-1", FINE},
	{"null is none", V1, "\"current-snapshot-id\":10", "\"current-snapshot-id\":null", FINE},
	{"-2 is an id", V1, "\"current-snapshot-id\":10", "\"current-snapshot-id\":-2", CORRUPT,
	 "\"current-snapshot-id\" names no snapshot"},
	/* refs */
	{"no refs", V2, "\"refs\"", "\"x\"", FINE},
	{"null refs", V1, "{", "{\"refs\":null,", FINE},
	{"empty refs", V1, "{", "{\"refs\":{},", FINE},
	{"a ref to nothing", V2, "\"t\":{\"snapshot-id\":10", "\"t\":{\"snapshot-id\":11", CORRUPT,
	 "\"refs.t.snapshot-id\" names no snapshot"},
	{"main elsewhere", V2, "\"main\":{\"snapshot-id\":20", "\"main\":{\"snapshot-id\":10", CORRUPT,
	 "\"refs.main.snapshot-id\" is not the current snapshot"},
	{"a ref without a snapshot", V2, "\"t\":{\"snapshot-id\":10,", "\"t\":{", CORRUPT,
	 "\"refs.t.snapshot-id\" is missing"},
	{"a ref without a type", V2, "\"type\":\"tag\",", "", CORRUPT, "\"refs.t.type\" is missing"},
	{"a ref of another type", V2, "\"type\":\"tag\"", "\"type\":\"note\"", CORRUPT,
	 "\"refs.t.type\" must be branch or tag"},
	{"a tag in capitals", V2, "\"type\":\"tag\"", "\"type\":\"Tag\"", FINE},
	{"the same ref twice", V2, "\"t\":{", "\"t\":{\"snapshot-id\":20,\"type\":\"tag\"},\"t\":{", CORRUPT,
	 "\"refs\" has a name twice"},
	{"a ref age of 0", V2, "max-ref-age-ms\":7", "max-ref-age-ms\":0", CORRUPT,
	 "\"refs.t.max-ref-age-ms\" must be greater than 0"},
	{"a tag that keeps snapshots", V2, "max-ref-age-ms\":7", "min-snapshots-to-keep\":7", CORRUPT,
	 "\"refs.t\" is a tag and cannot keep further snapshots"},
	{"a tag that keeps an age", V2, "max-ref-age-ms\":7", "max-snapshot-age-ms\":7", CORRUPT,
	 "\"refs.t\" is a tag and cannot keep further snapshots"},
	{"a branch that keeps none", V2, "\"branch\"}", "\"branch\",\"min-snapshots-to-keep\":0}", CORRUPT,
	 "\"refs.main.min-snapshots-to-keep\" must be greater than 0"},
	{"a ref that is no object", V2, "\"t\":{", "\"t\":1,\"x\":{", CORRUPT, "\"refs.t\" must be an object"},
	/* schemas */
	{"no schemas in v2", V2, "\"schemas\"", "\"x\"", CORRUPT, "\"schemas\" is missing"},
	{"a current schema that is not there", V2, "current-schema-id\":0", "current-schema-id\":1", CORRUPT,
	 "\"current-schema-id\" names no schema"},
	{"a schema that is a list", V2, "{\"type\":\"struct\",\"schema-id\"", "{\"type\":\"list\",\"schema-id\"", CORRUPT,
	 "\"schemas[0].type\" must be struct"},
	{"a schema without a type", V2, "\"type\":\"struct\",\"schema-id\"", "\"schema-id\"", CORRUPT,
	 "\"schemas[0].type\" is missing"},
	{"a schema without fields", V1, "\"fields\"", "\"x\"", CORRUPT, "\"schema.fields\" is missing"},
	{"a field without an id", V2, "{\"id\":1,", "{", CORRUPT, "\"schemas[0].fields[0].id\" is missing"},
	{"a field without a name", V2, "\"name\":\"l\",", "", CORRUPT, "\"schemas[0].fields[1].name\" is missing"},
	{"a field without required", V2, "\"required\":false,", "", CORRUPT,
	 "\"schemas[0].fields[1].required\" is missing"},
	{"a field without a type", V2, ",\"type\":\"long\"", "", CORRUPT, "\"schemas[0].fields[0].type\" is missing"},
	{"required in text", V2, "\"required\":false", "\"required\":\"no\"", CORRUPT,
	 "\"schemas[0].fields[1].required\" must be true or false"},
	{"a type that is a number", V2, "\"type\":\"long\"", "\"type\":1", CORRUPT,
	 "\"schemas[0].fields[0].type\" must be a type"},
	{"a type that is an array", V2, "\"type\":\"long\"", "\"type\":[]", CORRUPT,
	 "\"schemas[0].fields[0].type\" must be a type"},
	{"an unknown primitive type is kept", V2, "\"type\":\"long\"", "\"type\":\"int128\"", FINE},
	{"an unknown nested type", V2, "\"type\":\"list\"", "\"type\":\"set\"", CORRUPT,
	 "\"schemas[0].fields[1].type.type\" must be struct, list or map"},
	{"a list without its element", V2, "\"element\":\"int\",", "", CORRUPT,
	 "\"schemas[0].fields[1].type\" is not a valid list type"},
	{"a list with fields", V2, "\"element\":\"int\"", "\"fields\":[],\"element\":\"int\"", CORRUPT,
	 "\"schemas[0].fields[1].type\" is not a valid list type"},
	{"a map that is a list", V2, "\"type\":\"list\"", "\"type\":\"map\"", CORRUPT,
	 "\"schemas[0].fields[1].type\" is not a valid map type"},
	{"an element of a wrong type", V2, "\"element\":\"int\"", "\"element\":true", CORRUPT,
	 "\"schemas[0].fields[1].type.element\" must be a type"},
	{"a field id twice", V2, "\"element-id\":3", "\"element-id\":1", CORRUPT,
	 "\"schemas\" has field id 1 twice in one schema"},
	{"a field id twice in v1", V1, "]},\"partition",
	 ",{\"id\":1,\"name\":\"b\",\"required\":true,\"type\":\"int\"}]},\"partition", CORRUPT,
	 "\"schema\" has field id 1 twice in one schema"},
	{"no schema in v1", V1, "\"schema\"", "\"x\"", CORRUPT, "\"schema\" is missing"},
	{"schemas without a current one in v1", V1, "{", "{\"schemas\":[],", CORRUPT, "\"current-schema-id\" is missing"},
	/* specs and sort orders */
	{"no specs in v2", V2, "\"partition-specs\"", "\"x\"", CORRUPT, "\"partition-specs\" is missing"},
	{"no spec in v1", V1, "\"partition-spec\"", "\"x\"", CORRUPT, "\"partition-spec\" is missing"},
	{"specs without a default in v1", V1, "{", "{\"partition-specs\":[],", CORRUPT, "\"default-spec-id\" is missing"},
	{"a default spec that is not there", V2, "default-spec-id\":0", "default-spec-id\":1", CORRUPT,
	 "\"default-spec-id\" names no partition spec"},
	{"a spec id twice", V2, "\"partition-specs\":[", "\"partition-specs\":[{\"spec-id\":0,\"fields\":[]},", CORRUPT,
	 "\"partition-specs\" has an id twice"},
	{"a spec without an id", V2, "\"spec-id\":0,", "", CORRUPT, "\"partition-specs[0].spec-id\" is missing"},
	{"a field without a transform", V2, "\"transform\":\"day\",", "", CORRUPT,
	 "\"partition-specs[0].fields[1].transform\" is missing"},
	{"a field without a source", V2, "\"source-id\":1,\"field-id\":1001", "\"field-id\":1001", CORRUPT,
	 "\"partition-specs[0].fields[1].source-id\" is missing"},
	{"several sources", V2, "\"source-id\":1,\"field-id\":1001", "\"source-ids\":[1,2],\"field-id\":1001", FINE},
	{"no sources", V2, "\"source-id\":1,\"field-id\":1001", "\"source-ids\":[],\"field-id\":1001", CORRUPT,
	 "\"partition-specs[0].fields[1].source-ids\" must not be empty"},
	{"a source that is text", V2, "\"source-id\":1,\"field-id\":1001", "\"source-ids\":[1,\"2\"],\"field-id\":1001",
	 CORRUPT, "\"partition-specs[0].fields[1].source-ids[1]\" must be an integer of 32 bits"},
	{"field ids in some fields", V2, ",\"field-id\":1001", "", CORRUPT,
	 "\"partition-specs[0].fields\" has field-id in some fields only"},
	{"an unknown transform is kept", V2, "\"transform\":\"day\"", "\"transform\":\"zorder\"", FINE},
	{"a default sort order that is not there", V2, "default-sort-order-id\":1", "default-sort-order-id\":2", CORRUPT,
	 "\"default-sort-order-id\" names no sort order"},
	{"unsorted need not be listed", V2, "default-sort-order-id\":1", "default-sort-order-id\":0", FINE},
	{"a direction that is none", V2, "\"asc\"", "\"up\"", CORRUPT,
	 "\"sort-orders[0].fields[0].direction\" must be asc or desc"},
	{"a null order that is none", V2, "\"nulls-first\"", "\"first\"", CORRUPT,
	 "\"sort-orders[0].fields[0].null-order\" must be nulls-first or nulls-last"},
	{"sort orders without a default in v1", V1, "{", "{\"sort-orders\":[],", CORRUPT,
	 "\"default-sort-order-id\" is missing"},
	/* logs and statistics */
	{"a log entry without a time", V2, "\"timestamp-ms\":940", "\"x\":1", CORRUPT,
	 "\"metadata-log[0].timestamp-ms\" is missing"},
	{"a log entry that is text", V2, "\"snapshot-log\":[", "\"snapshot-log\":[\"x\",", CORRUPT,
	 "\"snapshot-log[0]\" must be an object"},
	{"a statistics file without a size", V2, "\"file-size-in-bytes\":5", "\"x\":5", CORRUPT,
	 "\"statistics[0].file-size-in-bytes\" is missing"},
	{"a negative size", V2, "\"file-size-in-bytes\":5", "\"file-size-in-bytes\":-5", CORRUPT,
	 "\"statistics[0].file-size-in-bytes\" must not be negative"},
	{"a statistics file of no snapshot", V2, "\"snapshot-id\":20,\"statistics-path\"", "\"statistics-path\"", CORRUPT,
	 "\"statistics[0].snapshot-id\" is missing"},
	{"a statistics file without a path", V2, "\"statistics-path\":\"f\",", "", CORRUPT,
	 "\"statistics[0].statistics-path\" is missing"},
	{"statistics of a snapshot that is gone", V2, "\"snapshot-id\":20,\"statistics-path\"",
	 "\"snapshot-id\":7,\"statistics-path\"", FINE},
	{"sizes beyond 64 bits", V2, "{\"snapshot-id\":20,\"statistics-path\":\"f\",\"file-size-in-bytes\":5}",
	 "{\"snapshot-id\":20,\"statistics-path\":\"f\",\"file-size-in-bytes\":5},{\"snapshot-id\":10,"
	 "\"statistics-path\":\"g\",\"file-size-in-bytes\":9223372036854775807}",
	 CORRUPT, "\"statistics[1].file-size-in-bytes\" is beyond 64 bits in all"},
	{"encryption keys are counted, not read", V2, "{", "{\"encryption-keys\":[1,{\"a\":{}},null],", FINE},
	/* not JSON */
	{"an array", V2, "{\"format-version\":2", "[{\"format-version\":2", CORRUPT, "the document must be an object"},
	{"null", V2, "{\"format-version\":2", "null{\"format-version\":2", CORRUPT, "the document must be an object"},
	{"text", V2, "{\"format-version\":2", "\"x\"{\"format-version\":2", CORRUPT, "the document must be an object"},
	{"a number", V2, "{\"format-version\":2", "5 {\"format-version\":2", CORRUPT, "the document must be an object"},
	{"broken in the middle", V2, "\"sequence-number\":5,\"summary\"", "\"sequence-number\":5 \"summary\"", CORRUPT,
	 NULL},
	{"two documents", V1, "[\"m\"]}]}", "[\"m\"]}]}{}", CORRUPT, NULL},
	{"nested too deep", V2, "\"location\"", "\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
	 FLOE_ERR_TOO_LARGE, "JSON nested deeper than 64 levels"},
	/* the answer to loadTable */
	{"an answer", LOAD, "", "", FINE},
	{"an answer without metadata", LOAD, "\"metadata\":", "\"x\":", ANSWER, "\"metadata\" is missing"},
	{"metadata that is text", LOAD, "\"metadata\":", "\"metadata\":\"m\",\"x\":", ANSWER,
	 "\"metadata\" must be an object"},
	{"a null location", LOAD, "\"s3://b/t/m.json\"", "null", FINE},
	{"a location that is a number", LOAD, "\"s3://b/t/m.json\"", "5", ANSWER, "\"metadata-location\" must be a string"},
	{"null config", LOAD, "{\"c\":\"d\"}", "null", FINE},
	{"config that is no string", LOAD, "\"c\":\"d\"", "\"c\":true", ANSWER, "\"config.c\" must be a string"},
	{"credentials without a prefix", LOAD, "\"prefix\":\"s3://\",", "", ANSWER,
	 "\"storage-credentials[0].prefix\" is missing"},
	{"credentials without config", LOAD, ",\"config\":{\"e\":\"f\"}", "", ANSWER,
	 "\"storage-credentials[0].config\" is missing"},
	{"config twice in credentials", LOAD, "\"e\":\"f\"", "\"e\":\"f\",\"e\":\"g\"", ANSWER,
	 "\"storage-credentials[0].config.e\" stands there twice"},
	{"wrong inside the metadata", LOAD, "\"location\":\"s3://b/t\"", "\"location\":1", CORRUPT,
	 "\"metadata.location\" must be a string"},
	{"missing inside the metadata", LOAD, "\"location\"", "\"x\"", CORRUPT, "\"metadata.location\" is missing"},
	{"wrong on the whole", LOAD, "\"t\":{\"snapshot-id\":10", "\"t\":{\"snapshot-id\":11", CORRUPT,
	 "\"metadata.refs.t.snapshot-id\" names no snapshot"},
	{"no schema on the whole", LOAD, "current-schema-id\":0", "current-schema-id\":1", CORRUPT,
	 "\"metadata.current-schema-id\" names no schema"},
	{"an HTML page", LOAD, "{", "<html>{", ANSWER, "invalid JSON at byte 0: a value must stand here"},
	{"version 4 in an answer", LOAD, "\"format-version\":2", "\"format-version\":4", FLOE_ERR_UNSUPPORTED,
	 "table uses format version 4, floe reads 1 to 3"},
};

/* The base document with one place changed. */
static bool
make_document(const Case *c, FloeBuf *doc)
{
	FloeBuf base;
	const char *at;

	floe_buf_init(&base, 100000);
	if (c->base == LOAD)
		floe_buf_printf(
			&base,
			"{\"metadata-location\":\"s3://b/t/m.json\",\"metadata\":%s,\"config\":{\"c\":\"d\"},"
			"\"storage-credentials\":[{\"prefix\":\"s3://\",\"config\":{\"e\":\"f\"}}],\"new-key\":{\"a\":[]}}",
			v2);
	else
		floe_buf_text(&base, c->base == V1 ? v1 : v2);
	at = strstr(base.data, c->from);
	if (at != NULL)
	{
		floe_buf_append(doc, base.data, (size_t) (at - base.data));
		floe_buf_text(doc, c->to);
		floe_buf_text(doc, at + strlen(c->from));
	}
	floe_buf_free(&base);
	return at != NULL;
}

static const FloeTableMeta *
parse(FloeArena *arena, FloeMetaRoot root, const FloeBuf *doc, size_t step, FloeStatus *st)
{
	FloeMetaParser *parser;
	const FloeTableMeta *meta;

	floe_arena_reset(arena);
	parser = floe_meta_parser_new(arena, root, &floe_meta_default_limits);
	for (size_t at = 0; at < doc->len; at += step)
	{
		if (!floe_meta_parser_feed(parser, doc->data + at, Min(step, doc->len - at), st))
			return NULL;
	}
	return floe_meta_parser_finish(parser, &meta, st) ? meta : NULL;
}

static void
test_case(FloeArena *arena, const Case *c)
{
	FloeMetaRoot root = c->base == LOAD ? FLOE_META_LOAD_RESULT : FLOE_META_FILE;
	FloeBuf doc;
	FloeStatus whole;
	FloeStatus bytes;
	FloeBuf message;
	bool accepted;

	floe_buf_init(&doc, 100000);
	floe_buf_init(&message, 1000);
	floe_status_ok(&whole);
	floe_status_ok(&bytes);
	ok(make_document(c, &doc), "%s: the place to change is there", c->what);
	accepted = parse(arena, root, &doc, doc.len, &whole) != NULL;
	is_str(floe_code_name(whole.code), floe_code_name(c->code), "%s", c->what);
	ok(accepted == (c->code == FLOE_OK), "%s or not", accepted ? "accepted" : "refused");
	(void) parse(arena, root, &doc, 1, &bytes);
	is_str(bytes.message, whole.message, "the same byte by byte");
	if (c->message != NULL)
	{
		if (c->code != FLOE_ERR_UNSUPPORTED)
			floe_buf_text(&message, c->base == LOAD ? "loadTable answer: " : "table metadata: ");
		floe_buf_text(&message, c->message);
		is_str(whole.message, message.data, "and says why");
	}
	floe_buf_free(&message);
	floe_buf_free(&doc);
}

/* The place of what is not JSON, and what a missing main branch becomes. */
static void
test_places(FloeArena *arena)
{
	static const Case broken = {"", V2, "\"sequence-number\":5,\"summary\"", "\"sequence-number\":5 \"summary\"", FINE};
	static const Case no_refs = {"", V2, "\"refs\"", "\"x\"", FINE};
	static const Case no_current = {"", V1, "\"current-snapshot-id\":10", "\"current-snapshot-id\":-1", FINE};
	const FloeTableMeta *meta;
	FloeStatus st;
	FloeBuf doc;

	floe_buf_init(&doc, 100000);
	make_document(&broken, &doc);
	ok(parse(arena, FLOE_META_FILE, &doc, doc.len, &st) == NULL, "broken in the middle");
	ok(strncmp(st.message, "table metadata at \"snapshots[1].sequence-number\": invalid JSON at byte ", 70) == 0, "%s",
	   st.message);

	floe_buf_reset(&doc);
	make_document(&no_refs, &doc);
	meta = parse(arena, FLOE_META_FILE, &doc, doc.len, &st);
	ok(meta != NULL && meta->ref_count == 1 && meta->refs[0].is_branch && meta->refs[0].snapshot_id == 20,
	   "a missing main is the current snapshot");
	is_str(meta->refs[0].name, "main", "and called so");

	floe_buf_reset(&doc);
	make_document(&no_current, &doc);
	meta = parse(arena, FLOE_META_FILE, &doc, doc.len, &st);
	ok(meta != NULL && !meta->has_current_snapshot && meta->current == -1 && meta->ref_count == 0,
	   "no current snapshot, no main");
	is_int(meta->snapshots[0].manifest_count, 1, "a manifest inline");
	is_str(meta->snapshots[0].manifests[0], "m", "its path");
	floe_buf_free(&doc);
}

/* Whose files are where is known of tables that cannot be read, too. */
static void
test_location(FloeArena *arena)
{
	static const struct
	{
		Case change;
		const char *location;
	} known[] = {
		{{"a readable table", V2, "", "", FINE}, "s3://b/t"},
		{{"version 4", V2, "\"format-version\":2", "\"format-version\":4", FINE}, "s3://b/t"},
		{{"version 4, the location first", V2, "{", "{\"location\":\"s3://b/u\",\"format-version\":4,\"x\":{", FINE},
		 "s3://b/u"},
		{{"version 4 in an answer", LOAD, "\"format-version\":2", "\"format-version\":4", FINE}, "s3://b/t"},
		{{"version 4, what stands before the location is not looked at", V2, "2,\"table-uuid\":\"9",
		  "4,\"schemas\":[{}],\"table-uuid\":[],\"refs\":\"9", FINE},
		 "s3://b/t"},
		{{"version 4 without", V2, "2,\"table-uuid\"", "4,\"x\":{\"location\":\"s3://b/x\"},\"location\":null,\"y\":1}",
		  FINE},
		 NULL},
		{{"wrong behind it", V2, "\"current-snapshot-id\":", "\"current-snapshot-id\":1", FINE}, "s3://b/t"},
		{{"wrong before it", V2, "\"table-uuid\":\"9", "\"table-uuid\":\"", FINE}, NULL},
		{{"two", V2, "{", "{\"location\":\"s3://b/u\",", FINE}, NULL},
		{{"none", V2, "\"location\":\"s3://b/t\"", "\"x\":1", FINE}, NULL},
	};

	for (size_t i = 0; i < lengthof(known); i++)
	{
		FloeMetaParser *parser;
		const FloeTableMeta *meta;
		const char *location;
		FloeStatus st;
		FloeBuf doc;

		floe_buf_init(&doc, 100000);
		make_document(&known[i].change, &doc);
		floe_arena_reset(arena);
		parser = floe_meta_parser_new(arena, known[i].change.base == LOAD ? FLOE_META_LOAD_RESULT : FLOE_META_FILE,
									  &floe_meta_default_limits);
		ok(!floe_meta_parser_feed(parser, doc.data, doc.len, &st) || i == 0 ||
			   !floe_meta_parser_finish(parser, &meta, &st),
		   "%s: refused or not", known[i].change.what);
		location = floe_meta_parser_location(parser);
		is_str(location != NULL ? location : "-", known[i].location != NULL ? known[i].location : "-", "its location");
		floe_buf_free(&doc);
	}
}

int
main(void)
{
	FloeArena *arena = floe_arena_new(10000000);

	for (size_t i = 0; i < lengthof(cases); i++)
		test_case(arena, &cases[i]);
	test_places(arena);
	test_location(arena);
	floe_arena_free(arena);
	return tap_done();
}
