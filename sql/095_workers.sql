-- The workers on every version of PostgreSQL: they start, they find a catalog without being called, they show themselves, and they go.
-- What they do with real catalogs and engines, and what happens when they are killed, is in test/t and test/e2e.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS floe CASCADE;
CREATE EXTENSION floe;
CREATE SCHEMA worker_test;
-- Asks until it is true.
CREATE PROCEDURE worker_test.wait_for(question text) LANGUAGE plpgsql AS $$
DECLARE
	answer bool;
BEGIN
	FOR i IN 1 .. 600 LOOP
		EXECUTE question INTO answer;
		COMMIT;
		IF answer THEN
			RETURN;
		END IF;
		PERFORM pg_sleep(0.05);
	END LOOP;
	RAISE WARNING 'not within 30 seconds: %', question;
END $$;

SELECT * FROM floe.workers;
CREATE SERVER nowhere TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://127.0.0.1:1');
ALTER SYSTEM SET floe.scheduler = on;
SELECT pg_reload_conf();
CALL worker_test.wait_for($$SELECT count(*) = 2 FROM floe.workers WHERE state = 'running'$$);
SELECT database, worker, number, state, reason, pid IS NOT NULL AS has_pid FROM floe.workers ORDER BY worker;
CALL worker_test.wait_for($$SELECT count(*) = 3 FROM pg_stat_activity WHERE backend_type LIKE 'floe %' AND application_name = backend_type$$);
SELECT backend_type, application_name, datname = current_database() AS here FROM pg_stat_activity WHERE backend_type LIKE 'floe %' ORDER BY 1;
CALL worker_test.wait_for($$SELECT count(*) = 1 FROM floe.breakers WHERE name = 'nowhere' AND state = 'open'$$);
SELECT kind, name, state, failures > 0 AS failed, retry_at > since AS again_later, error IS NOT NULL AS has_reason FROM floe.breakers WHERE name = 'nowhere';
SELECT kind, catalog FROM floe.events WHERE catalog = 'nowhere';

-- wait events have names where the server has room for them
SELECT bool_and(CASE WHEN current_setting('server_version_num')::int >= 170000 THEN wait_event = 'FloeIdle' ELSE wait_event = 'Extension' END) AS wait_event
	FROM pg_stat_activity WHERE backend_type IN ('floe launcher', 'floe executor');

-- a wake-up reaches them: the server is gone, and so is its catalog as soon as anybody looks
DROP SERVER nowhere;
SELECT floe.refresh();
CALL worker_test.wait_for($$SELECT count(*) = 0 FROM floe.lag WHERE catalog = 'nowhere'$$);

ALTER SYSTEM RESET floe.scheduler;
SELECT pg_reload_conf();
CALL worker_test.wait_for($$SELECT count(*) = 0 FROM floe.workers$$);
SELECT backend_type FROM pg_stat_activity WHERE backend_type LIKE 'floe %';
DROP SCHEMA worker_test CASCADE;
