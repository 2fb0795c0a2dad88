-- Terms of the debt score: none drowns another by its unit. Every property for every term over 240 powers of what is measured.
CREATE TABLE raws AS SELECT t.term, t.half, t.is_log, n, pow(10, n / 12.0 - 6)::float8 AS raw, floe_internal.debt_value(pow(10, n / 12.0 - 6)::float8, t.half, t.is_log) AS value
	FROM floe.debt_term AS t, generate_series(0, 239) AS n;
SELECT plan(2 + 5 * count(*)::int) FROM floe.debt_term;

SELECT is(count(*) FILTER (WHERE r.value < 0 OR r.value > 1 OR r.value IS NULL), 0::bigint, r.term || ': from 0 to 1') FROM raws AS r GROUP BY r.term ORDER BY r.term;
SELECT is(count(*) FILTER (WHERE x.value <= x.before), 0::bigint, x.term || ': more is more, up to 10^14')
	FROM (SELECT r.term, r.value, lag(r.value, 1, 0) OVER (PARTITION BY r.term ORDER BY r.n) AS before FROM raws AS r) AS x GROUP BY x.term ORDER BY x.term;
SELECT is(floe_internal.debt_value(t.half, t.half, t.is_log), 0.5::float8, t.term || ': a half at half') FROM floe.debt_term AS t ORDER BY t.term;
-- KB for bytes, milliseconds for days: the same order
SELECT is(count(*) FILTER (WHERE (a.value < b.value) <> (floe_internal.debt_value(a.raw * u, a.half, a.is_log) < floe_internal.debt_value(b.raw * u, b.half, b.is_log))), 0::bigint, a.term || ': the unit does not change the order, up to 10^10')
	FROM raws AS a JOIN raws AS b ON b.term = a.term AND b.n = (a.n * 7 + 31) % 200 AND a.n < 200, unnest(ARRAY[1e-3, 1.0 / 1024, 1.0 / 86400, 60, 1024]::float8[]) AS u
	GROUP BY a.term ORDER BY a.term;
-- Gravitino's: a sum of a mean square error of 10^14 and a count of delete files was the error alone. Here whatever one term is, the other still decides by up to its weight.
SELECT is(count(*) FILTER (WHERE NOT b.value + o.low < b.value + o.high), 0::bigint, b.term || ' of 10^14 does not drown any other')
	FROM raws AS b, (SELECT floe_internal.debt_value(t.half / 10, t.half, t.is_log) AS low, floe_internal.debt_value(t.half * 10, t.half, t.is_log) AS high FROM floe.debt_term AS t) AS o
	WHERE b.n >= 228 GROUP BY b.term ORDER BY b.term;

-- that of Gravitino itself, to see that the property is one that can fail
SELECT is(count(*) FILTER (WHERE (a.mse + 100 * a.deletes < b.mse + 100 * b.deletes) = (a.mse < b.mse)), count(*), 'its own formula: the delete files never decide')
	FROM (SELECT n, 4e14 + (n * 7919 % 1009) * 1e10 AS mse, n * 104729 % 50 AS deletes FROM generate_series(1, 60) AS n) AS a
	JOIN (SELECT n, 4e14 + (n * 7919 % 1009) * 1e10 AS mse, n * 104729 % 50 AS deletes FROM generate_series(1, 60) AS n) AS b ON a.n <> b.n;
SELECT is((SELECT string_agg(DISTINCT p.preset, ', ') FROM floe.debt_preset AS p JOIN floe.debt_term AS t USING (term) WHERE t.term IN ('failures', 'overwrite') AND NOT t.is_penalty), NULL,
	'in no preset do failures raise the score');
SELECT * FROM finish();
