-- The workers. done: operations the executor has followed to their end, and looks at tables the assessor has taken.
SELECT worker, state, since::time(0), in_flight, done FROM floe.workers;

-- The five tables against their thresholds, as far as there is anything to mend.
SELECT t.name, h.metric, h.shown AS value, h.warning, h.critical, h.level, h.remedy, h.set_by
  FROM floe.tables AS t CROSS JOIN LATERAL floe.health(t.name) AS h
 WHERE 'live' = ANY (t.policies) AND h.warning IS NOT NULL AND h.value > 0
 ORDER BY t.name, h.metric;

-- The log says of every operation which metric called for it, at what value, over which limit, who set that, and what the value was afterwards.
SELECT o.table_name, o.operation, o.state, count(*) AS times, r.gate AS because, string_agg(r.value, ' ' ORDER BY o.id) AS values, r."limit", r.set_by,
       coalesce(string_agg(o.after ->> r.gate, ' ' ORDER BY o.id), left(min(o.error), 80)) AS afterwards
  FROM floe.operations AS o CROSS JOIN LATERAL jsonb_to_recordset(o.reason) AS r (gate text, value text, "limit" text, set_by text)
 WHERE 'live' = ANY (o.policies) AND r.gate IN (SELECT m.name FROM floe.metric AS m)
 GROUP BY o.table_name, o.operation, o.state, r.gate, r."limit", r.set_by
 ORDER BY o.table_name, times DESC, o.operation;
