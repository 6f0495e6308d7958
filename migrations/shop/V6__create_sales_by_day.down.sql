DROP VIEW sales_by_day;
