/*
---
description: How much of a delay a plane brings along from its flight before, that day
tags: [report]
---
*/
WITH legs AS (
    SELECT
        day,
        tailnum,
        carrier,
        dep_delay,
        lag(arr_delay) OVER plane_day AS delay_before
    FROM ref('transform.departures')
    WHERE NOT cancelled
    WINDOW plane_day AS (
        PARTITION BY tailnum, day ORDER BY sched_dep_time, flight, origin, dest
    )
)

SELECT
    carrier,
    count(*) AS second_legs,
    round(avg(dep_delay) FILTER (delay_before >= {{ params.delayed_minutes }}), 1) AS after_late,
    round(avg(dep_delay) FILTER (delay_before < {{ params.delayed_minutes }}), 1) AS after_on_time
FROM legs
WHERE delay_before IS NOT NULL
GROUP BY carrier
ORDER BY second_legs DESC, carrier
