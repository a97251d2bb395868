/** Metrics of Temporal's SDK that rules and dashboard name, as the exporter of a worker shows them. */
export const SDK_METRICS = [
  'temporal_worker_task_slots_available',
  'temporal_num_pollers',
  'temporal_activity_schedule_to_start_latency_seconds',
  'temporal_workflow_task_schedule_to_start_latency_seconds',
];
