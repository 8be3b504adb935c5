/*
---
description: Whether old planes are late planes
tags: [report]
---
*/
SELECT
    planes.year // 10 * 10 AS built_in_decade,
    count(DISTINCT departures.tailnum) AS planes,
    count(*) AS flights,
    {{ transformations.delayed_pct }} AS delayed_pct
FROM ref('transform.departures') AS departures
JOIN ref('source.planes') AS planes USING (tailnum)
WHERE planes.year IS NOT NULL AND NOT departures.cancelled
GROUP BY built_in_decade
ORDER BY built_in_decade
