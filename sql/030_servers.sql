--
-- Connections: SERVERs and USER MAPPINGs of both wrappers.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

-- ---- the options there are ----

\pset format unaligned
SELECT wrapper, context, option, value_type, is_required AS req, is_secret AS secret, superuser_only AS su, types FROM floe.connection_option;
\pset format aligned
SELECT count(*) AS described FROM floe.connection_option WHERE description <> '';
SELECT * FROM floe_internal.connection_types() ORDER BY 1, 2;

-- every option of a server, at a value that is good
CREATE SERVER demo TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (
	uri 'https://catalog.example:8443/iceberg', warehouse 'lake', prefix 'ws/demo', oauth2_server_uri 'https://idp.example/token', scope 'catalog', audience 'a', resource 'r',
	access_delegation 'vended-credentials', "header.X-Team" 'floe', page_size '500', metadata_source 'store', s3_endpoint 'http://127.0.0.1:9000', s3_region 'eu-west-1',
	s3_path_style 'true', ca_file '/etc/ssl/ca.pem', list_interval '10 minutes', engine_catalog 'lake', "engine.uri" 'http://inside:8181');
CREATE USER MAPPING FOR CURRENT_USER SERVER demo OPTIONS (
	token 'abc', token_file '/run/token', "header.X-Api-Key" 'abcdef', "engine.token" 'abcdef', client_id 'me', client_secret 's3cret', client_secret_file '/run/secret', s3_access_key_id 'k', s3_secret_access_key 's', s3_secret_access_key_file '/run/s3', s3_session_token 't', s3_session_token_file '/run/s3t');
CREATE SERVER spark TYPE 'spark-thrift' FOREIGN DATA WRAPPER floe_engine OPTIONS (
	url 'http://spark:10001/cliservice', max_operations '4', memory_gb '1.5', pool 'maintenance', ca_file '/etc/ssl/ca.pem', "spark.sql.shuffle.partitions" '8');
CREATE USER MAPPING FOR CURRENT_USER SERVER spark OPTIONS (
	username 'floe', password 'pw', password_file '/run/pw', token 'abc', "spark.hadoop.fs.s3a.secret.key" 'x');
SELECT name, type, uri, warehouse, status, error, failures, tables FROM floe.catalogs;
SELECT name, type, url, status, error, running, queued FROM floe.engines;

-- what people can see holds nothing of the mappings
SELECT count(*) FROM floe.catalogs AS c WHERE c::text ~ 's3cret|abc';
SELECT count(*) FROM floe.engines AS e WHERE e::text ~ 'pw|abc';
DROP SERVER demo CASCADE;
DROP SERVER spark CASCADE;

-- ---- refused, with what is valid ----

\pset format unaligned
\pset tuples_only on
CREATE FUNCTION lab.server(wrapper text, options text) RETURNS text LANGUAGE sql AS $$
	SELECT options || E'\n' || lab.says(format('CREATE SERVER s TYPE %L FOREIGN DATA WRAPPER %I OPTIONS (%s)', CASE wrapper WHEN 'floe_catalog' THEN 'rest' ELSE 'spark-thrift' END, wrapper, options))
$$;
CREATE FUNCTION lab.mapping(server text, options text) RETURNS text LANGUAGE sql AS $$
	SELECT options || E'\n' || lab.says(format('CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (%s)', server, options))
$$;
-- unknown options list the valid ones; secrets of a server belong into the mapping, and the other way round
SELECT lab.server('floe_catalog', $$uri 'http://c', wharehouse 'x'$$);
SELECT lab.server('floe_engine', $$url 'http://c', uri 'x'$$);
SELECT lab.server('floe_catalog', $$uri 'http://c', client_secret 'x'$$);
SELECT lab.server('floe_catalog', $$uri 'http://c', token 'x'$$);
SELECT lab.server('floe_catalog', $$uri 'http://c', s3_secret_access_key 'x'$$);
SELECT lab.server('floe_engine', $$url 'http://c', password 'x'$$);
-- URIs of other protocols than HTTP; a password has no place in any
SELECT o, lab.server('floe_catalog', o) FROM (VALUES ($$uri 'thrift://h:9083,thrift://i:9083'$$), ($$uri 'postgresql://h:5432/db?sslmode=require'$$), ($$uri 'postgresql:///'$$), ($$uri 'postgresql://me:secret@h/db'$$), ($$uri 'postgresql://h/db?password=x'$$), ($$uri 'thrift://h h'$$), ($$uri 'ftp://h'$$)) AS v (o);
SELECT lab.server('floe_engine', $$url 'http://c', username 'x'$$);
SELECT lab.server('floe_catalog', $$"header." 'x', uri 'http://c'$$);
SELECT lab.server('floe_catalog', $$URI 'http://c', "Warehouse" 'x'$$);
SELECT lab.server('floe_catalog', $$warehouse 'x'$$);
SELECT lab.server('floe_engine', $$pool 'x'$$);
-- values
SELECT lab.server('floe_catalog', o) FROM (VALUES
	($$uri ''$$), ($$uri 'catalog:8181'$$), ($$uri 'ftp://c'$$), ($$uri 'http://'$$), ($$uri 'http://user:pw@c'$$), ($$uri 'http://c:99999'$$), ($$uri 'http://c/a b'$$), ($$uri E'http://c\r\nHost: x'$$),
	($$uri 'http://c?x=1'$$), ($$uri 'http://c#x'$$), ($$uri 'file:///etc/passwd'$$),
	($$uri 'http://c', warehouse ''$$), ($$uri 'http://c', "header.X" E'a\nb'$$), ($$uri 'http://c', "header.X Y" 'a'$$), ($$uri 'http://c', "header.X:" 'a'$$), ($$uri 'http://c', "header.Authorization" 'Bearer abc'$$),
	($$uri 'http://c', "header.cookie" 'x'$$), ($$uri 'http://c', access_delegation 'vended'$$), ($$uri 'http://c', page_size '0'$$), ($$uri 'http://c', page_size '10001'$$), ($$uri 'http://c', page_size '1e3'$$),
	($$uri 'http://c', page_size '10x'$$), ($$uri 'http://c', page_size '99999999999999999999'$$),
	($$uri 'http://c', metadata_source 'CATALOG'$$), ($$uri 'http://c', s3_path_style 'yes'$$), ($$uri 'http://c', ca_file 'ca.pem'$$), ($$uri 'http://c', ca_file '~/ca.pem'$$),
	($$uri 'http://c', list_interval 'soon'$$), ($$uri 'http://c', list_interval '0'$$), ($$uri 'http://c', list_interval '-5 minutes'$$), ($$uri 'http://c', list_interval '300'$$), ($$uri 'http://c', list_interval '1 day'$$),
	($$uri 'http://c', max_in_flight '0'$$), ($$uri 'http://c', max_in_flight '-1'$$), ($$uri 'http://c', max_in_flight 'all'$$), ($$uri 'http://c', max_in_flight '1000000'$$), ($$uri 'http://c', max_in_flight '1'$$),
	($$uri 'http://c', max_rate '0'$$), ($$uri 'http://c', max_rate '0.5'$$), ($$uri 'http://c', max_rate '10/s'$$), ($$uri 'http://c', max_rate '1'$$),
	($$uri 'http://c', max_operations '0'$$), ($$uri 'http://c', max_operations '1001'$$), ($$uri 'http://c', max_operations ''$$), ($$uri 'http://c', max_operations '1'$$),
	($$uri 'http://c', gcs_endpoint 'storage'$$), ($$uri 'http://c', adls_endpoint 'abfss://a'$$), ($$uri 'http://c', gcs_token 'x'$$), ($$uri 'http://c', adls_sas_token 'x'$$),
	($$uri 'http://c', allowed_locations 'lake'$$), ($$uri 'http://c', allowed_locations 's3://'$$), ($$uri 'http://c', allowed_locations 's3://b/../c'$$), ($$uri 'http://c', allowed_locations ' , '$$),
	($$uri 'http://c', allowed_locations 's3://b, gs://c/x, /warehouse'$$),
	($$uri 'http://c', s3_endpoint 'minio:9000'$$), ($$uri 'http://c', "engine.s3.secret-access-key" 'x'$$), ($$uri 'http://c', "engine.token" 'x'$$),
	($$uri 'http://c', "engine.client.credentials-provider" 'com.example.Provider'$$), ($$uri 'http://c', "header.X-Api-Key" 'x'$$)) AS v (o);
SELECT lab.server('floe_engine', o) FROM (VALUES
	($$url 'spark:10001'$$), ($$url 'http://s', max_operations '0'$$), ($$url 'http://s', max_operations '1001'$$), ($$url 'http://s', memory_gb '0'$$), ($$url 'http://s', memory_gb '-1'$$), ($$url 'http://s', memory_gb '1.2.3'$$),
	($$url 'http://s', memory_gb '.'$$), ($$url 'http://s', memory_gb '0.5'$$), ($$url 'http://s', "spark." 'x'$$), ($$url 'http://s', "spark.hadoop.fs.s3a.secret.key" 'x'$$)) AS v (o);
-- types
SELECT lab.says($$CREATE SERVER s FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://c')$$);
SELECT lab.says($$CREATE SERVER s TYPE 'glue' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://c')$$);
SELECT lab.says($$CREATE SERVER s TYPE 'REST' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://c')$$);
SELECT lab.says($$CREATE SERVER s TYPE 'rest' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://c')$$);
-- options that mean nothing to a TYPE
CREATE FUNCTION lab.of_type(type text, context text, option text, value text) RETURNS text LANGUAGE sql AS $$
	SELECT lab.says(format('CREATE SERVER s TYPE %L FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri %L%s)', type,
		CASE type WHEN 'hive' THEN 'thrift://h:9083' WHEN 'jdbc' THEN 'postgresql:///' WHEN 'nessie' THEN 'http://c/api/v2' ELSE 'http://c' END,
		CASE context WHEN 'SERVER' THEN format(', %I %L', option, value) END)
		|| CASE context WHEN 'USER MAPPING' THEN format('; CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (%I %L)', option, value) ELSE '' END)
$$;
CREATE TABLE lab.for_type (context text, option text, value text);
INSERT INTO lab.for_type VALUES
	('SERVER', 'catalog_name', 'c'), ('SERVER', 'schema', 's'), ('SERVER', 'thrift_transport', 'framed'), ('SERVER', 'notification_log', 'off'), ('SERVER', 'warehouse', 'w'),
	('SERVER', 'prefix', 'p'), ('SERVER', 'ref', 'main'), ('SERVER', 'oauth2_server_uri', 'http://i/token'), ('SERVER', 'subject_token_type', 't'), ('SERVER', 'sigv4_service', 'glue'),
	('SERVER', 'sigv4_region', 'r'), ('SERVER', 'scope', 's'), ('SERVER', 'audience', 'a'), ('SERVER', 'resource', 'r'), ('SERVER', 'access_delegation', 'none'), ('SERVER', 'header.X-Team', 'x'),
	('SERVER', 'page_size', '10'), ('SERVER', 'metadata_source', 'store'), ('SERVER', 's3_endpoint', 'http://s'), ('SERVER', 'ca_file', '/ca.pem'), ('SERVER', 'allowed_locations', 's3://b'),
	('SERVER', 'policy_source', 'polaris'), ('SERVER', 'policy_interval', '1 hour'), ('SERVER', 'list_interval', '1 hour'), ('SERVER', 'max_in_flight', '1'), ('SERVER', 'max_rate', '1'),
	('SERVER', 'max_operations', '1'), ('SERVER', 'engine_catalog', 'c'), ('SERVER', 'engine.uri', 'http://e'), ('SERVER', 's3_region', 'r'), ('SERVER', 's3_path_style', 'true'),
	('SERVER', 'gcs_endpoint', 'http://g'), ('SERVER', 'adls_endpoint', 'http://a'),
	('USER MAPPING', 'token', 'abc'), ('USER MAPPING', 'token_file', '/f'), ('USER MAPPING', 'client_id', 'i'), ('USER MAPPING', 'client_secret', 's'), ('USER MAPPING', 'client_secret_file', '/f'),
	('USER MAPPING', 'subject_token', 's'), ('USER MAPPING', 'subject_token_file', '/f'), ('USER MAPPING', 'username', 'u'), ('USER MAPPING', 'password', 'p'), ('USER MAPPING', 'password_file', '/f'),
	('USER MAPPING', 'sigv4_access_key_id', 'k'), ('USER MAPPING', 'sigv4_secret_access_key', 's'), ('USER MAPPING', 'sigv4_secret_access_key_file', '/f'), ('USER MAPPING', 'sigv4_session_token', 't'),
	('USER MAPPING', 'sigv4_session_token_file', '/f'), ('USER MAPPING', 'header.X-Key', 'k'), ('USER MAPPING', 'engine.token', 't'), ('USER MAPPING', 's3_access_key_id', 'k'),
	('USER MAPPING', 's3_secret_access_key', 's'), ('USER MAPPING', 's3_secret_access_key_file', '/f'), ('USER MAPPING', 's3_session_token', 't'), ('USER MAPPING', 's3_session_token_file', '/f'),
	('USER MAPPING', 'gcs_token', 't'), ('USER MAPPING', 'gcs_token_file', '/f'), ('USER MAPPING', 'adls_sas_token', 'sv=1'), ('USER MAPPING', 'adls_sas_token_file', '/f'),
	('USER MAPPING', 'adls_token', 't'), ('USER MAPPING', 'adls_token_file', '/f');
-- what each TYPE takes, by trying; those that all take are counted only
CREATE TABLE lab.tried AS SELECT f.context, f.option, t.type, lab.of_type(t.type, f.context, f.option, f.value) AS says
	FROM lab.for_type AS f, floe_internal.connection_types() AS t WHERE t.wrapper = 'floe_catalog';
SELECT context, option, COALESCE(string_agg(type, ', ' ORDER BY type) FILTER (WHERE says = 'ok'), 'none') FROM lab.tried GROUP BY 1, 2 HAVING bool_or(says <> 'ok') ORDER BY context COLLATE "C", option COLLATE "C";
SELECT count(*) FROM (SELECT FROM lab.tried GROUP BY context, option HAVING bool_and(says = 'ok')) AS all_take;
-- the view says the same of every option
SELECT o.context, o.option, o.types FROM floe.connection_option AS o WHERE o.wrapper = 'floe_catalog' AND o.option <> 'uri' AND o.types <> ARRAY(
	SELECT t.type FROM lab.tried AS t WHERE t.context = o.context AND t.option LIKE replace(replace(o.option, '_', '\_'), '*', '%') AND t.says = 'ok' ORDER BY array_position(o.types, t.type));
SELECT DISTINCT ON (regexp_replace(says, '".*"', '') COLLATE "C") says FROM lab.tried WHERE says <> 'ok' ORDER BY regexp_replace(says, '".*"', '') COLLATE "C", option COLLATE "C";
-- later changes, of either
SELECT lab.says($$CREATE SERVER s TYPE 'jdbc' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'postgresql:///'); ALTER SERVER s OPTIONS (ADD page_size '10')$$);
SELECT lab.says($$CREATE SERVER s TYPE 'jdbc' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'postgresql:///'); CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (username 'u');
	ALTER USER MAPPING FOR PUBLIC SERVER s OPTIONS (ADD token 'abc')$$);
-- neither wrapper has options of its own or foreign tables
SELECT lab.catalog(), lab.engine();
SELECT lab.says($$ALTER FOREIGN DATA WRAPPER floe_catalog OPTIONS (ADD uri 'http://c')$$);
SELECT lab.says($$CREATE FOREIGN TABLE lab.t (a int) SERVER demo OPTIONS (x 'y')$$);
-- mappings
SELECT lab.mapping('demo', o) FROM (VALUES ($$user 'x'$$), ($$uri 'http://c'$$), ($$client_id ''$$), ($$token E'a\nb'$$), ($$token_file 'x'$$), ($$passphrase 'x'$$),
	($$adls_sas_token 'sv=1&sig=a b'$$), ($$adls_sas_token 'sv=1#x'$$), ($$adls_sas_token '?'$$), ($$adls_sas_token_file 'x'$$), ($$gcs_token E'a\nb'$$), ($$gcs_token_file 'x'$$), ($$adls_token_file 'x'$$)) AS v (o);
SELECT lab.mapping('spark', o) FROM (VALUES ($$user 'x'$$), ($$url 'http://c'$$), ($$password_file 'x'$$), ($$token E'a\nb'$$), ($$client_id 'x'$$)) AS v (o);
\pset tuples_only off
\pset format aligned

-- ---- later changes ----

ALTER SERVER demo OPTIONS (ADD warehouse 'one', SET uri 'http://127.0.0.1:2');
SELECT name, uri, warehouse FROM floe.catalogs;
ALTER SERVER demo OPTIONS (DROP uri);
ALTER SERVER demo OPTIONS (ADD nonsense 'x');
ALTER SERVER demo VERSION '1';
ALTER SERVER demo RENAME TO other;
SELECT name FROM floe.catalogs;
ALTER SERVER other RENAME TO demo;

-- what is not floe's is left alone
CREATE FOREIGN DATA WRAPPER regress_wrapper NO HANDLER NO VALIDATOR;
CREATE SERVER theirs FOREIGN DATA WRAPPER regress_wrapper OPTIONS (anything 'goes');
DROP FOREIGN DATA WRAPPER regress_wrapper CASCADE;

-- ---- tables of a server that goes, and comes back ----

SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "rewrite_data_files": {}}');
SELECT lab.assess('demo.db.a', files => 500, file_bytes => 1000), lab.assess('demo.db.b');
SELECT operation, verdict FROM floe.trigger('demo.db.a', '{rewrite_data_files}');
DROP SERVER demo;
SELECT name, status FROM floe.catalogs;
SELECT floe_internal.sync_servers();
SELECT name, status, dropped_at FROM floe.tables ORDER BY name;
SELECT table_name, state FROM floe.operations;
SELECT kind, catalog, table_name, message FROM floe.events WHERE kind IN ('table dropped', 'operation cancelled', 'catalog removed') ORDER BY id;
SELECT floe_internal.plan_and_queue(NULL);
-- the same name again is the same catalog: its tables keep their history
SELECT lab.catalog();
SELECT name, status, tables FROM floe.catalogs;
SELECT lab.list_tables('demo', 'demo.db.a', 'demo.db.c');
SELECT table_id, name, status FROM floe_internal.iceberg_table ORDER BY 1;
-- dropped and made again between two passes: nothing happened
DROP SERVER demo;
SELECT lab.catalog();
SELECT name, status FROM floe.tables ORDER BY name;
-- an engine
DROP SERVER spark;
SELECT floe_internal.sync_servers();
SELECT name, status FROM floe.engines;
SELECT operation, setting, value, set_by FROM floe.effective_policy('demo.db.a') WHERE setting = 'engine';
SELECT operation, gate, value FROM floe.trigger('demo.db.a', '{rewrite_data_files}');
SELECT server_name, status, removed_at FROM floe_internal.engine;
SELECT lab.engine();
SELECT server_name, status, removed_at FROM floe_internal.engine;
SELECT name, status FROM floe.engines;

-- ---- who may ----

CREATE ROLE regress_owner IN ROLE floe_viewer;
GRANT USAGE ON FOREIGN DATA WRAPPER floe_catalog TO regress_owner;
SET ROLE regress_owner;
CREATE SERVER mine TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://127.0.0.1:3');
CREATE SERVER mine2 TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://127.0.0.1:3', ca_file '/etc/passwd');
CREATE USER MAPPING FOR CURRENT_USER SERVER mine OPTIONS (token_file '/etc/passwd');
CREATE USER MAPPING FOR CURRENT_USER SERVER mine OPTIONS (token 'abc');
CREATE SERVER mine TYPE 'spark-thrift' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:3');
ALTER SERVER demo OPTIONS (SET uri 'http://evil');
SELECT name, uri FROM floe.catalogs ORDER BY name;
RESET ROLE;
DROP SERVER mine CASCADE;
REVOKE USAGE ON FOREIGN DATA WRAPPER floe_catalog FROM regress_owner;
DROP ROLE regress_owner;
