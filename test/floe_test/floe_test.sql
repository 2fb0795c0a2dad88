-- The SQL side of floe_test.so. Run by the TAP tests: psql -v module=/path/to/floe_test.so -f floe_test.sql
-- :'module' is the library without a suffix that the server would add.
CREATE SCHEMA floe_test;

CREATE TYPE floe_test.http_result AS (
	n            int,     -- position in urls, from 1
	code         text,    -- floe_code_name()
	http_status  int,
	attempts     int,
	message      text,
	detail       text,
	retry_after  bigint,
	body         text,
	body_bytes   bigint,  -- also what a sink took
	restarts     int,     -- how often a sink was told to forget
	etag         text,
	dns_ms       int,
	connect_ms   int,
	tls_ms       int,
	first_byte_ms int,
	total_ms     int
);

-- All urls at once on one engine, or one after the other with {"sequential": true}.
-- Other options: those of FloeHttpRequest and FloeHttpOptions by their names, "headers": {name: value},
-- "body", "sink": true, "sink_stop": bytes.
CREATE FUNCTION floe_test.http(urls text[], options jsonb DEFAULT '{}')
RETURNS SETOF floe_test.http_result AS :'module', 'floe_test_http' LANGUAGE C STRICT;

-- The same without a transaction across the wait, as floe's own procedures run it; results are thrown away.
CREATE PROCEDURE floe_test.http_outside(urls text[], options jsonb)
AS :'module', 'floe_test_http_outside' LANGUAGE C;

-- What is promised about callbacks; one line of text per observation.
CREATE FUNCTION floe_test.http_callbacks(url text, hang_url text)
RETURNS SETOF text AS :'module', 'floe_test_http_callbacks' LANGUAGE C STRICT;

-- Milliseconds after which timers of these delays went off, in the order in which they did.
CREATE FUNCTION floe_test.http_timers(delays int[])
RETURNS SETOF text AS :'module', 'floe_test_http_timers' LANGUAGE C STRICT;

-- Requests per second and CPU microseconds of this process per request.
CREATE FUNCTION floe_test.http_bench(url text, requests int, in_flight int, portable boolean,
                                     OUT per_second float8, OUT cpu_us float8)
AS :'module', 'floe_test_http_bench' LANGUAGE C STRICT;

CREATE FUNCTION floe_test.fd_count() RETURNS int AS :'module', 'floe_test_fd_count' LANGUAGE C;
CREATE FUNCTION floe_test.thread_count() RETURNS int AS :'module', 'floe_test_thread_count' LANGUAGE C;
CREATE FUNCTION floe_test.malloc_bytes() RETURNS bigint AS :'module', 'floe_test_malloc_bytes' LANGUAGE C;
-- Descriptors reported to fd.c that are still counted: grants until it refuses, compared with the first call.
CREATE FUNCTION floe_test.external_fds_left() RETURNS int AS :'module', 'floe_test_external_fds_left' LANGUAGE C;

-- One request to an S3 server, signed by net/sigv4.c. params and headers: {name, value, …}; payload: unsigned, empty or body.
CREATE FUNCTION floe_test.s3(endpoint text, method text, path text, params text[], headers text[], body text,
                             access_key text, secret_key text, region text, payload text,
                             OUT http_status int, OUT answer text, OUT url text)
AS :'module', 'floe_test_s3' LANGUAGE C STRICT;

CREATE FUNCTION floe_test.digest_without_owner() RETURNS text AS :'module', 'floe_test_digest_without_owner' LANGUAGE C;
-- Microseconds per signature, with the derived key kept or not.
CREATE FUNCTION floe_test.sign_bench(count int, keep_key boolean) RETURNS float8
AS :'module', 'floe_test_sign_bench' LANGUAGE C STRICT;
