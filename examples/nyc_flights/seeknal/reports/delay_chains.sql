/*
---
description: How late a plane leaves again, on a day when its flight before was late or was not
tags: [report]
columns:
  flights: Of planes that had already left New York that day
  after_delay: Mean minutes behind schedule at departure, when the flight before was delayed
  after_on_time: The same, when it was on time
---
*/
WITH trips AS (
    SELECT
        carrier,
        dep_delay,
        lag(delayed) OVER (
            PARTITION BY tailnum, day
            ORDER BY sched_dep_time, flight
        ) AS delayed_before
    FROM ref('transform.departures')
    WHERE NOT cancelled
)

SELECT
    airline,
    count(*) AS flights,
    round(avg(dep_delay) FILTER (delayed_before), 1) AS after_delay,
    round(avg(dep_delay) FILTER (NOT delayed_before), 1) AS after_on_time
FROM trips
JOIN ref('transform.carriers') USING (carrier)
WHERE delayed_before IS NOT NULL
GROUP BY airline
ORDER BY flights DESC, airline
