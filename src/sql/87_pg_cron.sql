-- =================================================================================================
-- 87 pg_cron
-- floe.schedule() and floe.unschedule(): a job of pg_cron that calls floe.run_maintenance(). Separate because it is the only
-- part that knows another extension, which may be absent, in another database, or older or newer than the one it was tried
-- with: nothing of it is named but in strings.
--
-- Whoever calls is who pg_cron is told by and whom the job runs as: so pg_cron's own privileges decide who may use it, the
-- job is seen and ended by who made it, and it can do no more than he. What must be known of others' jobs is looked up as
-- the owner of the extension.
-- =================================================================================================

CREATE FUNCTION floe_internal.pg_cron_job_name() RETURNS pg_catalog.text
	LANGUAGE sql STABLE
BEGIN ATOMIC
	-- pg_cron keeps 63 bytes
	SELECT 'floe: ' || CASE WHEN pg_catalog.octet_length(d.datname::pg_catalog.text) <= 57 THEN d.datname::pg_catalog.text ELSE 'database ' || d.oid::pg_catalog.text END
	FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database();
END;
COMMENT ON FUNCTION floe_internal.pg_cron_job_name() IS 'Name of this database''s job among the jobs of all databases';

CREATE FUNCTION floe_internal.pg_cron_command() RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT 'CALL floe.run_maintenance()';
END;
COMMENT ON FUNCTION floe_internal.pg_cron_command() IS 'What the job does';

-- A setting that postgresql.conf names is not one of pg_settings before its library is loaded.
CREATE FUNCTION floe_internal.pg_cron_setting(suffix pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT s.setting FROM pg_catalog.pg_settings AS s WHERE s.name = 'cron.' || suffix;
END;
COMMENT ON FUNCTION floe_internal.pg_cron_setting(pg_catalog.text) IS 'A parameter of pg_cron; NULL: it is not loaded, or has none of that name. For superusers';

CREATE FUNCTION floe_internal.require_pg_cron(elsewhere pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	home text := floe_internal.pg_cron_setting('database_name');
	without text := 'floe does without pg_cron, too: its own background workers need none, and any scheduler that can open a connection can CALL floe.run_maintenance().';
BEGIN
	IF home IS NULL THEN
		PERFORM floe_internal.refuse('pg_cron is not loaded',
			CASE WHEN EXISTS (SELECT 1 FROM pg_available_extensions AS x WHERE x.name = 'pg_cron') THEN 'It is installed, but is not among shared_preload_libraries.'
				ELSE format('It is not installed on this server; Debian''s package of it is postgresql-%s-cron.', current_setting('server_version_num')::int4 / 10000) END,
			format('Add pg_cron to shared_preload_libraries, set cron.database_name = %L, restart the server, and say CREATE EXTENSION pg_cron in this database. %s', current_database(), without), '55000');
	ELSIF home <> current_database() THEN
		PERFORM floe_internal.refuse(format('pg_cron is not in this database, but in database "%s"', home),
			'It can be in one database of a server only, which cron.database_name says; from there it runs jobs in others.',
			format('As superuser in database "%s": %s;', home, elsewhere), '55000');
	ELSIF NOT EXISTS (SELECT 1 FROM pg_extension AS x WHERE x.extname = 'pg_cron') THEN
		PERFORM floe_internal.refuse('extension pg_cron is not in this database', 'Its library is loaded, and cron.database_name says that this is its database.',
			'As superuser: CREATE EXTENSION pg_cron.', '55000');
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.require_pg_cron(pg_catalog.text) IS 'Refuses, with what to do, where pg_cron is not; elsewhere: what to say in the database where it is';

CREATE FUNCTION floe_internal.pg_cron_jobs(OUT job_id pg_catalog.int8, OUT role_name pg_catalog.text, OUT schedule pg_catalog.text, OUT is_active pg_catalog.bool) RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN QUERY EXECUTE 'SELECT j.jobid, j.username::text, j.schedule::text, j.active FROM cron.job AS j WHERE j.jobname::text = $1 AND j.database = current_database() ORDER BY j.jobid'
		USING floe_internal.pg_cron_job_name();
END
$body$;
COMMENT ON FUNCTION floe_internal.pg_cron_jobs() IS 'Jobs of this database that floe.schedule() made, whoever called it';

CREATE FUNCTION floe_internal.prepare_schedule(expression pg_catalog.text, as_role pg_catalog.name,
		OUT old_job_id pg_catalog.int8, OUT is_active pg_catalog.bool, OUT job_name pg_catalog.text, OUT schedule pg_catalog.text, OUT timezone pg_catalog.text, OUT runs_as pg_catalog.text,
		OUT next_at pg_catalog.timestamptz)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	job record;
BEGIN
	IF expression IS NULL THEN
		PERFORM floe_internal.refuse('a schedule needs a cron expression', NULL, 'Leave it out for every minute; floe.unschedule() ends the schedule.');
	END IF;
	job_name := floe_internal.pg_cron_job_name();
	-- as pg_cron writes the names of months, days and macros
	schedule := lower(btrim(expression));
	runs_as := as_role;
	-- since 1.5 it has a zone
	timezone := COALESCE(floe_internal.pg_cron_setting('timezone'), 'GMT');
	next_at := floe_internal.cron_next(schedule, timezone, floe_internal.clock());
	IF next_at IS NULL THEN
		PERFORM floe_internal.refuse(format('"%s" names no time within five years', expression), NULL, NULL);
	END IF;
	PERFORM floe_internal.require_pg_cron(format('SELECT cron.schedule_in_database(%L, %L, %L, %L, %L)', job_name, schedule, floe_internal.pg_cron_command(), current_database(), as_role));
	IF NOT (SELECT r.rolcanlogin FROM pg_roles AS r WHERE r.rolname = as_role) THEN
		PERFORM floe_internal.refuse(format('role "%s" cannot log in, so pg_cron cannot run a job as it', as_role), 'A job runs as the role that schedules it.', 'Schedule it as a member of that role that can log in.', '55000');
	END IF;
	IF NOT has_schema_privilege(as_role, 'cron', 'USAGE') THEN
		PERFORM floe_internal.refuse(format('role "%s" may not use pg_cron', as_role), NULL, format('As superuser: GRANT USAGE ON SCHEMA cron TO %I.', as_role), '42501');
	END IF;
	IF NOT has_function_privilege(as_role, 'floe.run_maintenance(text, bool)', 'EXECUTE') THEN
		PERFORM floe_internal.refuse(format('role "%s" may not call floe.run_maintenance()', as_role), 'The job runs as this role.', format('As superuser: GRANT floe_operator TO %I.', as_role), '42501');
	END IF;
	SELECT j.* INTO job FROM floe_internal.pg_cron_jobs() AS j ORDER BY j.role_name = as_role DESC, j.job_id LIMIT 1;
	IF FOUND THEN
		IF job.role_name <> as_role AND NOT (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = as_role) THEN
			PERFORM floe_internal.refuse(format('floe is scheduled in this database by role "%s" already', job.role_name), format('Job %s, "%s".', job.job_id, job.schedule),
				'That role, or a superuser, can change it with floe.schedule() and end it with floe.unschedule().', '42710');
		END IF;
		old_job_id := job.job_id;
		is_active := job.is_active;
		runs_as := job.role_name;
	END IF;
	IF EXISTS (SELECT 1 FROM floe_internal.workers() AS w WHERE w.database = current_database() AND w.state = 'running') THEN
		RAISE NOTICE 'background workers drive floe in this database already'
			USING DETAIL = 'Passes beside them do no harm, and find little to do.', HINT = 'To leave it to pg_cron: ALTER SYSTEM SET floe.scheduler = off; SELECT pg_reload_conf().';
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.prepare_schedule(pg_catalog.text, pg_catalog.name) IS 'Checks all that floe.schedule() needs, for the role that calls it; the job there is, and what the new one will be';

-- As the caller.
CREATE FUNCTION floe_internal.tell_pg_cron(old_job_id pg_catalog.int8, is_active pg_catalog.bool, is_own pg_catalog.bool, job_name pg_catalog.text, schedule pg_catalog.text, command pg_catalog.text)
	RETURNS pg_catalog.int8
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	job_id int8 := old_job_id;
BEGIN
	IF old_job_id IS NOT NULL AND NOT is_own THEN
		EXECUTE 'SELECT cron.alter_job(job_id => $1, schedule => $2, command => $3, active => true)' USING old_job_id, schedule, command;
		RETURN job_id;
	END IF;
	IF NOT is_active THEN
		-- only those to whom a superuser granted alter_job() could switch it on
		EXECUTE 'SELECT cron.unschedule($1)' USING old_job_id;
	END IF;
	EXECUTE 'SELECT cron.schedule($1, $2, $3)' INTO job_id USING job_name, schedule, command;
	RETURN job_id;
EXCEPTION WHEN invalid_parameter_value THEN
	-- floe's own parser had nothing against it
	RAISE EXCEPTION 'pg_cron does not take the expression "%"', schedule
		USING ERRCODE = 'invalid_parameter_value', DETAIL = format('It says: %s.', SQLERRM), HINT = 'Before a step it wants * or a range: "5-59/20" instead of "5/20".';
END
$body$;
COMMENT ON FUNCTION floe_internal.tell_pg_cron(pg_catalog.int8, pg_catalog.bool, pg_catalog.bool, pg_catalog.text, pg_catalog.text, pg_catalog.text) IS 'Makes or changes the job of pg_cron; returns its id';

-- Bound to what it calls when it was made, so that a caller needs no privilege on floe_internal.
CREATE FUNCTION floe.schedule(cron pg_catalog.text DEFAULT '* * * * *',
		OUT job_id pg_catalog.int8, OUT job_name pg_catalog.text, OUT schedule pg_catalog.text, OUT timezone pg_catalog.text, OUT runs_as pg_catalog.text, OUT next_at pg_catalog.timestamptz)
	RETURNS pg_catalog.record
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT floe_internal.tell_pg_cron(p.old_job_id, p.is_active, p.runs_as = CURRENT_USER, p.job_name, p.schedule, floe_internal.pg_cron_command()), p.job_name, p.schedule, p.timezone, p.runs_as, p.next_at
	FROM floe_internal.prepare_schedule(schedule.cron, CURRENT_USER) AS p;
END;
COMMENT ON FUNCTION floe.schedule(pg_catalog.text)
	IS 'Has pg_cron CALL floe.run_maintenance() in this database, as the role that calls this and at the times of a cron expression, which is in timezone; again: changes the expression. One job a database. Needs USAGE on schema cron';

CREATE FUNCTION floe_internal.prepare_unschedule(as_role pg_catalog.name) RETURNS pg_catalog.int8[]
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	is_superuser bool := (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = as_role);
	ids int8[];
	others text;
BEGIN
	IF floe_internal.pg_cron_setting('database_name') IS NOT NULL THEN
		PERFORM floe_internal.require_pg_cron(format('SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname = %L AND database = %L', floe_internal.pg_cron_job_name(), current_database()));
		SELECT array_agg(j.job_id) FILTER (WHERE is_superuser OR j.role_name = as_role), string_agg(DISTINCT format('"%s"', j.role_name), ', ') INTO ids, others FROM floe_internal.pg_cron_jobs() AS j;
	END IF;
	IF ids IS NULL AND others IS NOT NULL THEN
		PERFORM floe_internal.refuse(format('floe was scheduled in this database by role %s', others), NULL, 'That role, or a superuser, can end it.', '42501');
	ELSIF ids IS NULL THEN
		RAISE WARNING 'floe is not scheduled in this database' USING HINT = 'floe.schedule() does that, through pg_cron.';
	END IF;
	RETURN COALESCE(ids, '{}');
END
$body$;
COMMENT ON FUNCTION floe_internal.prepare_unschedule(pg_catalog.name) IS 'Jobs that floe.unschedule() is to end for this role';

CREATE FUNCTION floe_internal.end_pg_cron_jobs(job_ids pg_catalog.int8[]) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	job_id int8;
BEGIN
	FOREACH job_id IN ARRAY job_ids
	LOOP
		EXECUTE 'SELECT cron.unschedule($1)' USING job_id;
	END LOOP;
	RETURN job_ids <> '{}';
END
$body$;
COMMENT ON FUNCTION floe_internal.end_pg_cron_jobs(pg_catalog.int8[]) IS 'Ends jobs of pg_cron, as the caller; false: there were none';

CREATE FUNCTION floe.unschedule() RETURNS pg_catalog.bool
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT floe_internal.end_pg_cron_jobs(floe_internal.prepare_unschedule(CURRENT_USER));
END;
COMMENT ON FUNCTION floe.unschedule() IS 'Ends what floe.schedule() began; a pass that is at work goes on to its end. Returns whether there was a job';

