/*
---
description: One row an airport and hour; gusts are at least the wind
tags: [cleaned]
---
*/
SELECT
    origin,
    time_hour,
    temp,
    precip,
    visib AS visibility,
    greatest(coalesce(wind_gust, 0), coalesce(wind_speed, 0)) AS gust
FROM ref('source.weather')
