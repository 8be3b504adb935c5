/*
---
description: How far each share moved, one trading day after the other
schedule: XNYS
start: 2024-03-25
end: 2024-04-07
incremental: {time_column: traded_on}
---
*/
SELECT traded_on, share, round(100.0 * (close - opened) / opened, 2) AS percent
FROM ref('source.prices')
WHERE traded_on >= {{ start }} AND traded_on < {{ end }}
