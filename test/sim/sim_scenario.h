/*-------------------------------------------------------------------------
 *
 * sim_scenario.h
 *	  What the scenarios of sim_scenario.c set up, by file.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "sim.h"

/* sim_scenario_server.c */
extern void sim_server_full_disk(SimWorld *world);
extern void sim_server_slow_disk(SimWorld *world);
extern void sim_server_fsync(SimWorld *world);
extern void sim_server_rolled_back(SimWorld *world);
extern void sim_server_diverged(SimWorld *world);
extern void sim_server_diverged_more(SimWorld *world);
extern void sim_server_diverged_half(SimWorld *world);
extern void sim_server_state_liar(SimWorld *world);
extern void sim_server_clocks(SimWorld *world);
extern void sim_server_slots(SimWorld *world);

/* sim_scenario_memory.c */
extern void sim_forget_all(SimWorld *world);
extern void sim_forget_database(SimWorld *world);
extern void sim_forget_both(SimWorld *world);
extern void sim_forget_same_backup(SimWorld *world);
extern void sim_forget_in_sequence(SimWorld *world);
extern void sim_forget_under_load(SimWorld *world);
extern void sim_forget_old_batch(SimWorld *world);
extern void sim_forget_in_partition(SimWorld *world);
extern void sim_forget_beside_liar(SimWorld *world);
extern void sim_forget_copy(SimWorld *world);
extern void sim_forget_copied_twice(SimWorld *world);
extern void sim_forget_copy_of_copy(SimWorld *world);
extern void sim_forget_copy_and_change(SimWorld *world);
extern void sim_forget_ahead(SimWorld *world);
extern void sim_forget_replier(SimWorld *world);
extern void sim_forget_many(SimWorld *world);
extern void sim_forget_fork(SimWorld *world);
extern void sim_forget_below(SimWorld *world);
extern void sim_forget_at_border(SimWorld *world);
extern void sim_forget_late(SimWorld *world);

/* sim_scenario_pace.c */
extern void sim_pace_slow(SimWorld *world);
extern void sim_pace_far(SimWorld *world);
extern void sim_pace_quick(SimWorld *world);
extern void sim_pace_busy(SimWorld *world);
extern void sim_pace_busy_one(SimWorld *world);
extern void sim_pace_due(SimWorld *world);
extern void sim_pace_deaf(SimWorld *world);
extern void sim_pace_away(SimWorld *world);
extern void sim_pace_away_long(SimWorld *world);
extern void sim_pace_behind(SimWorld *world);
extern void sim_pace_deaf_beyond(SimWorld *world);
extern void sim_pace_false_offers(SimWorld *world);
extern void sim_pace_due_skewed(SimWorld *world);
extern void sim_pace_late_bodies(SimWorld *world);
extern void sim_pace_away_idle(SimWorld *world);
extern void sim_pace_acks(SimWorld *world);

/* sim_scenario_prune.c */
extern void sim_pruned_away(SimWorld *world);
extern void sim_pruned_liar(SimWorld *world);
extern void sim_pruned_crash(SimWorld *world);
extern void sim_pruned_restore(SimWorld *world);
extern void sim_pruned_interrupted(SimWorld *world);
extern void sim_pruned_beyond(SimWorld *world);
extern void sim_pruned_lost(SimWorld *world);
extern void sim_pruned_join(SimWorld *world);
extern void sim_pruned_copy(SimWorld *world);

/* sim_scenario_change.c */
extern void sim_change_members(SimWorld *world);
extern void sim_change_and_crash(SimWorld *world);
extern void sim_change_third(SimWorld *world);
extern void sim_change_deploy(SimWorld *world);
extern void sim_change_malformed(SimWorld *world);
extern void sim_change_back_to_back(SimWorld *world);
extern void sim_change_at_view(SimWorld *world);
extern void sim_change_versions(SimWorld *world);
extern void sim_change_header(SimWorld *world);
extern void sim_change_one_finalize(SimWorld *world);
extern void sim_change_and_rejoin(SimWorld *world);
extern void sim_change_wrong_key(SimWorld *world);
extern void sim_change_old_key(SimWorld *world);

#endif							/* SIM_SCENARIO_H */
