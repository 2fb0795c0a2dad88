-- Once more: nothing is left to do.
CALL floe.run_maintenance('lake.**', wait => true);
SELECT operation, verdict, gate, value, limit_value, next_at::timestamptz(0) FROM floe.why('lake.shop.orders');
