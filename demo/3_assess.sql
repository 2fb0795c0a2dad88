-- Lists the catalog, reads the metadata of all tables and queues what is called for; nothing is sent to Spark while it is paused.
SELECT floe.pause('lake.**', reason => 'look first') AS tables_paused;
CALL floe.run_maintenance('lake.**');
SELECT floe.resume('lake.**') AS resumed;

-- All tables, worst first.
SELECT name, verdict, next_operation, reason, round(debt::numeric, 2) AS debt FROM floe.status();

-- Why: a sick table, a healthy one, and one whose owner forbids deleting files.
SELECT operation, verdict, gate, value, limit_value, set_by FROM floe.why('lake.shop.orders');
SELECT operation, verdict, gate, value, limit_value, set_by FROM floe.why('lake.shop.countries');
SELECT operation, verdict, gate, value, limit_value, set_by FROM floe.why('lake.shop.audit');

-- What would run, in this order.
SELECT rank, table_name, operation, gate AS because, value, objects, minutes FROM floe.plan('lake.**');
