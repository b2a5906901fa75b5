/*-------------------------------------------------------------------------
 *
 * sim_scenario.c
 *	  Runs by name: one fault each, in a world that is calm otherwise.
 *
 * A scenario sets up its fault and says what must have happened in its runs;
 * one in which nothing happened shows nothing and fails.  All checks of
 * README.md hold in it as in every run.  SMALL ones run with two and three
 * members as well; a liar there is more than f.
 *
 *-------------------------------------------------------------------------
 */
#include "sim_scenario.h"

#include <string.h>

static void set_crash(SimWorld *world);
static void set_crash_all(SimWorld *world);
static void set_split(SimWorld *world);
static void set_asymmetric(SimWorld *world);
static void set_edges(SimWorld *world);
static void set_rotating(SimWorld *world);
static void set_bridge(SimWorld *world);
static void set_swizzle(SimWorld *world);
static void set_jitter(SimWorld *world);
static void set_reordering(SimWorld *world);
static void set_twice(SimWorld *world);
static void set_loss(SimWorld *world);
static void set_burst(SimWorld *world);
static void set_slow_links(SimWorld *world);
static void set_proposals(SimWorld *world);
static void set_proposal_to_some(SimWorld *world);
static void set_turn(SimWorld *world);
static void set_cut_back(SimWorld *world);
static void set_cut_unknown(SimWorld *world);
static void set_batch_root(SimWorld *world);
static void set_stale_parent(SimWorld *world);
static void set_no_parent(SimWorld *world);
static void set_no_gap(SimWorld *world);
static void set_forged(SimWorld *world);
static void set_short(SimWorld *world);
static void set_repeated(SimWorld *world);
static void set_beside(SimWorld *world);
static void set_header(SimWorld *world);
static void set_giant(SimWorld *world);
static void set_future(SimWorld *world);
static void set_past(SimWorld *world);
static void set_last_moment(SimWorld *world);
static void set_entry(SimWorld *world);
static void set_withheld(SimWorld *world);
static void set_one_finalize(SimWorld *world);
static void set_one_notarize(SimWorld *world);
static void set_but_one(SimWorld *world);
static void set_other_vote(SimWorld *world);
static void set_silent(SimWorld *world);
static void set_dead_leaders(SimWorld *world);
static void set_twins(SimWorld *world);
static void set_twins_split(SimWorld *world);
static void set_flood(SimWorld *world);
static void set_number(SimWorld *world);
static void set_bodies(SimWorld *world);
static void set_no_bodies(SimWorld *world);
static void set_accusations(SimWorld *world);
static void set_idle_hour(SimWorld *world);
static void set_idle_days(SimWorld *world);
static void set_views(SimWorld *world);
static void set_liars_beyond(SimWorld *world);
static void set_twins_beyond(SimWorld *world);
static void set_bodies_beyond(SimWorld *world);
static void set_withheld_beyond(SimWorld *world);
static void set_clocks_beyond(SimWorld *world);
static void set_silent_beyond(SimWorld *world);
static void set_everything(SimWorld *world);

static const SimScenario scenarios[] = {
	{"crash_at_commit", "1", "a member crashes at one in ten transactions, durable or not; no vote is lost or doubled",
	set_crash, SIM_SEEN_CRASH, 4, true, 10, 3000, 0},
	{"crash_of_all", "1", "everybody crashes at once, again and again",
	set_crash_all, SIM_SEEN_CRASH, 4, true, 10, 3000, 0},
	{"partition_full", "2", "two sides that do not hear each other",
	set_split, SIM_SEEN_CUT, 7, true, 10, 20000, 0},
	{"partition_asymmetric", "2", "one side hears the other and is not heard",
	set_asymmetric, SIM_SEEN_CUT, 7, true, 10, 20000, 0},
	{"partition_edges", "2", "single links in one direction",
	set_edges, SIM_SEEN_CUT, 5, true, 10, 8000, 0},
	{"partition_rotating", "2", "one member off, then another",
	set_rotating, SIM_SEEN_CUT, 4, true, 10, 8000, 0},
	{"partition_bridge", "2", "two sides and one member that hears both",
	set_bridge, SIM_SEEN_CUT, 7, true, 10, 20000, 0},
	{"swizzle", "2", "links are cut one by one and come back in another order",
	set_swizzle, SIM_SEEN_CUT, 5, true, 10, 8000, 0},
	{"delay_and_jitter", "3", "one message in five takes up to half a second",
	set_jitter, SIM_SEEN_BLOCK, 4, true, 10, 8000, SIM_EXPECT_BLOCKS},
	{"reordering", "3", "each link has a delay of its own, up to 300 ms",
	set_reordering, SIM_SEEN_BLOCK, 5, true, 10, 10000, SIM_EXPECT_BLOCKS},
	{"duplicates", "3", "every second message comes twice",
	set_twice, SIM_SEEN_BLOCK, 4, true, 5, 3000, SIM_EXPECT_BLOCKS},
	{"loss", "3", "every fourth message is lost; gaps are filled by fetch",
	set_loss, SIM_SEEN_BLOCK, 4, true, 10, 10000, SIM_EXPECT_BLOCKS},
	{"burst_after_hours", "3", "a member hears nothing for hours, then everything at once",
	set_burst, SIM_SEEN_BURST, 4, true, 5, 4000, 0},
	{"slow_links", "3", "a hop takes longer than the timers; they grow until blocks are decided",
	set_slow_links, SIM_SEEN_BLOCK, 4, true, 5, 30000, SIM_EXPECT_BLOCKS},
	{"leader_two_proposals", "4", "one for some and one for the others, votes for both; the liar is convicted",
	set_proposals, SIM_SEEN_EVIDENCE, 7, true, 10, 12000, SIM_EXPECT_BLOCKS},
	{"leader_proposal_to_some", "4", "half of the members get none",
	set_proposal_to_some, SIM_SEEN_LIE, 7, true, 10, 12000, SIM_EXPECT_BLOCKS | SIM_EXPECT_VIEWS},
	{"leader_out_of_turn", "4", "blocks of a member who does not lead (R7)",
	set_turn, SIM_SEEN_LIE, 4, true, 10, 3000, SIM_EXPECT_BLOCKS | SIM_EXPECT_VIEWS},
	{"leader_cut_back", "4", "the cut lacks lanes of the parent's (R11)",
	set_cut_back, SIM_SEEN_TWIST, 4, true, 5, 3000, SIM_EXPECT_BLOCKS | SIM_EXPECT_VIEWS},
	{"leader_cut_unknown", "4", "the cut names a batch that nobody has (R12)",
	set_cut_unknown, SIM_SEEN_TWIST, 4, true, 5, 3000, SIM_EXPECT_BLOCKS | SIM_EXPECT_VIEWS},
	{"leader_batch_root", "4", "the batch root is wrong (R13)",
	set_batch_root, SIM_SEEN_TWIST, 4, true, 5, 3000, SIM_EXPECT_BLOCKS | SIM_EXPECT_VIEWS},
	{"leader_stale_parent", "4", "the parent's parent once more (R9)",
	set_stale_parent, SIM_SEEN_TWIST, 4, true, 5, 3000, SIM_EXPECT_BLOCKS | SIM_EXPECT_VIEWS},
	{"leader_no_parent", "4", "no certificate of the parent (R8)",
	set_no_parent, SIM_SEEN_TWIST, 4, true, 5, 3000, SIM_EXPECT_BLOCKS | SIM_EXPECT_VIEWS},
	{"leader_no_gap", "4", "views are skipped without their nullifications (R9)",
	set_no_gap, SIM_SEEN_TWIST, 4, true, 10, 8000, SIM_EXPECT_BLOCKS},
	{"leader_forged_certificate", "4", "a signature in the certificate is wrong (R17)",
	set_forged, SIM_SEEN_TWIST, 4, true, 5, 3000, SIM_EXPECT_BLOCKS | SIM_EXPECT_VIEWS},
	{"leader_short_certificate", "4", "a certificate with one vote less (R16)",
	set_short, SIM_SEEN_TWIST, 4, true, 5, 3000, SIM_EXPECT_BLOCKS | SIM_EXPECT_VIEWS},
	{"leader_repeated_vote", "4", "a certificate that holds one vote twice (C1)",
	set_repeated, SIM_SEEN_TWIST, 4, true, 5, 3000, SIM_EXPECT_BLOCKS | SIM_EXPECT_VIEWS},
	{"leader_forged_beside", "4", "a quorum of votes in a certificate, and a forged one beside them (C2)",
	set_beside, SIM_SEEN_TWIST, 4, true, 5, 3000, SIM_EXPECT_BLOCKS | SIM_EXPECT_VIEWS},
	{"leader_header", "4", "height, members, checkpoint or history root do not follow (R10)",
	set_header, SIM_SEEN_TWIST, 4, true, 10, 3000, SIM_EXPECT_BLOCKS | SIM_EXPECT_VIEWS},
	{"leader_giant", "4", "more bodies than a block may have (R14)",
	set_giant, SIM_SEEN_LARGE, 4, true, 5, 3000, SIM_EXPECT_BLOCKS | SIM_EXPECT_VIEWS},
	{"leader_future_time", "4", "a block of tomorrow (R15)",
	set_future, SIM_SEEN_TWIST, 4, true, 5, 3000, SIM_EXPECT_BLOCKS | SIM_EXPECT_VIEWS},
	{"leader_past_time", "4", "a block of three days ago, after idle days (R15)",
	set_past, SIM_SEEN_TWIST, 4, true, 3, 3000, SIM_EXPECT_VIEWS},
	{"leader_last_moment", "4", "everything of the liar comes when the timers end",
	set_last_moment, SIM_SEEN_LIE, 4, true, 10, 3000, SIM_EXPECT_BLOCKS | SIM_EXPECT_VIEWS},
	{"leader_entries", "4", "an entry of before, of another kind, or that nobody has (R19)",
	set_entry, SIM_SEEN_TWIST, 4, true, 5, 3000, SIM_EXPECT_BLOCKS | SIM_EXPECT_VIEWS},
	{"votes_withheld", "5", "few votes, to few, and no certificate is relayed",
	set_withheld, SIM_SEEN_LIE, 4, true, 10, 3000, SIM_EXPECT_BLOCKS},
	{"finalize_to_one", "5, lost wake-up", "FINALIZE to one member only, then nothing more",
	set_one_finalize, SIM_SEEN_LIE, 4, true, 10, 6000, SIM_EXPECT_BLOCKS},
	{"notarize_to_one", "5", "NOTARIZE to one member only, who goes on to the next view alone (P6)",
	set_one_notarize, SIM_SEEN_LIE, 4, true, 10, 10000, SIM_EXPECT_BLOCKS},
	{"finalize_to_all_but_one", "5", "FINALIZE to all but one, who is the only one to wait then (P7)",
	set_but_one, SIM_SEEN_LIE, 4, true, 10, 4000, SIM_EXPECT_BLOCKS},
	{"certificate_against_tally", "certificate with a vote whose author showed another one",
		"one member counted another vote; the certificate holds all the same (C3)",
	set_other_vote, SIM_SEEN_LIE, 4, true, 10, 3000, SIM_EXPECT_BLOCKS},
	{"dead_leaders", "5", "f members are silent; their turns are passed over (P4)",
	set_dead_leaders, SIM_SEEN_NULLIFIED, 7, false, 5, 30000, SIM_EXPECT_PACE},
	{"twins", "6", "f members run twice with one key; evidence convicts them",
	set_twins, SIM_SEEN_EVIDENCE, 7, true, 10, 20000, SIM_EXPECT_BLOCKS},
	{"twins_in_partition", "6", "and the two are on different sides",
	set_twins_split, SIM_SEEN_EVIDENCE, 7, true, 10, 10000, 0},
	{"lane_fork", "7", "twins make different batches of one number; the cut decides",
	set_twins, SIM_SEEN_EVIDENCE, 4, true, 5, 3000, SIM_EXPECT_BLOCKS},
	{"lane_flood", "7", "batches without end, half of them without bodies",
	set_flood, SIM_SEEN_FLOOD, 4, true, 5, 3000, SIM_EXPECT_BLOCKS},
	{"lane_without_number", "7", "batches of an incarnation that no REJOIN has opened; nobody orders them (R39)",
	set_number, SIM_SEEN_FLOOD, 4, true, 5, 3000, SIM_EXPECT_BLOCKS},
	{"bodies_of_few", "a proposal whose body only the leader and liars hold",
		"bodies go to one honest member only; such a batch waits, the others do not",
	set_bodies, SIM_SEEN_LIE, 4, true, 10, 3000, SIM_EXPECT_BLOCKS},
	{"bodies_of_liars", "a proposal whose body only the leader and liars hold",
		"bodies of liars go to liars only; nobody votes for their batches, and no view of others is lost (R12)",
	set_no_bodies, SIM_SEEN_LIE, 7, true, 5, 20000, SIM_EXPECT_BLOCKS | SIM_EXPECT_VIEWS},
	{"forged_accusations", "7", "rows that the accused never signed; nobody believes them (R18)",
	set_accusations, SIM_SEEN_FORGED, 4, true, 5, 3000, SIM_EXPECT_BLOCKS},
	{"malformed_rows", "4, 7", "a liar's BATCH, ACK, CERT, GOVERN and REJOIN rows have payloads that are none; one of them convicts it (R46)",
	sim_change_malformed, SIM_SEEN_ILLEGAL, 4, false, 20, 4000, 0},
	{"full_disk", "10", "no transaction for seconds; the core is thrown away",
	sim_server_full_disk, SIM_SEEN_LOST, 4, true, 10, 6000, 0},
	{"slow_disk", "10", "one transaction in ten takes up to two seconds",
	sim_server_slow_disk, SIM_SEEN_BLOCK, 4, true, 5, 3000, 0},
	{"fsync_error", "10", "one transaction in ten fails, or says so; no vote leaves",
	sim_server_fsync, SIM_SEEN_LOST, 4, true, 10, 3000, 0},
	{"transactions_rolled_back", "a row seen by a peer whose transaction then rolled back",
		"two transactions in five fail or are lost; no row of them has left (V18)",
	sim_server_rolled_back, SIM_SEEN_LOST, 4, true, 5, 3000, 0},
	{"clocks", "11", "clocks jump hours ahead, an hour back, or stand",
	sim_server_clocks, SIM_SEEN_CLOCK, 4, true, 10, 3000, SIM_EXPECT_BLOCKS},
	{"slots_dropped", "12, slots advanced or dropped by a peer",
		"rows do not come by themselves any more; fetch brings them",
	sim_server_slots, SIM_SEEN_SLOT, 4, true, 10, 3000, SIM_EXPECT_BLOCKS},
	{"first_batch_after_idle_hour", "the first batch after an idle hour",
		"one batch an hour, final in the usual time; no view is lost",
	set_idle_hour, SIM_SEEN_IDLE, 4, true, 3, 3000, SIM_EXPECT_BLOCKS | SIM_EXPECT_VIEWS},
	{"block_time_after_idle_days", "a block time of three days ago after idle days",
		"one batch in three days; the last block's time is no reason to refuse the next",
	set_idle_days, SIM_SEEN_IDLE, 4, true, 3, 3000, SIM_EXPECT_BLOCKS | SIM_EXPECT_VIEWS},
	{"timers_due", "timers of a contract on an idle ledger",
		"a batch an hour sets a timer, which gets a block of its own, soon; no view is lost (P12)",
	sim_pace_due, SIM_SEEN_DUE, 4, true, 3, 3000, SIM_EXPECT_BLOCKS | SIM_EXPECT_VIEWS | SIM_EXPECT_DUE},
	{"timers_due_and_clocks", "11, timers of a contract", "clocks differ by up to a second; each timer gets its block",
	sim_pace_due_skewed, SIM_SEEN_DUE, 4, true, 5, 4000, SIM_EXPECT_BLOCKS},
	{"busy_members", "3", "batches come faster than blocks are applied; leaders let them come together, and no view is lost (P23)",
	sim_pace_busy, SIM_SEEN_BUSY, 4, true, 5, 20000, SIM_EXPECT_BLOCKS | SIM_EXPECT_VIEWS},
	{"busy_member", "3", "one member takes twice as long to apply them: its turns may be lost, and all go on (P23)",
	sim_pace_busy_one, SIM_SEEN_BUSY, 4, false, 5, 20000, SIM_EXPECT_BLOCKS},
	{"slow_links_measured", "3", "as slow_links, but timers follow the rows: after a while no view is lost (P15)",
	sim_pace_slow, SIM_SEEN_BLOCK, 4, false, 5, 30000, SIM_EXPECT_BLOCKS | SIM_EXPECT_SETTLED},
	{"far_member_measured", "3", "one member is three times as far away as the others; its turns are not lost (P15)",
	sim_pace_far, SIM_SEEN_BLOCK, 5, false, 5, 30000, SIM_EXPECT_BLOCKS | SIM_EXPECT_SETTLED},
	{"quick_links_measured", "3", "hops of milliseconds and timers of seconds, until rows are measured; then a leader who crashes costs little (P15)",
	sim_pace_quick, SIM_SEEN_CRASH, 4, false, 5, 30000, SIM_EXPECT_PACE},
	{"nobody_is_heard", "12", "nobody's log comes to one member, neither rows nor gaps; it asks for the last block, and follows by fetch (P16)",
	sim_pace_deaf, SIM_SEEN_BLOCK, 4, false, 5, 20000, SIM_EXPECT_BLOCKS},
	{"nobody_is_heard_beyond", "12", "and that block lies beyond its memory: it takes blocks from others (P9), and shows that they are final (P14)",
	sim_pace_deaf_beyond, SIM_SEEN_CATCH_UP, 4, false, 5, 30000, SIM_EXPECT_BLOCKS},
	{"false_offers", "12, 4", "the same, and one of those whom it asks shows blocks that are cut short, changed, or not final (P17)",
	sim_pace_false_offers, SIM_SEEN_FALSE_OFFER, 4, false, 5, 30000, SIM_EXPECT_BLOCKS},
	{"member_away", "12", "one member is silent for good; the others wait for it with pruning up to the limit, and not beyond (P19)",
	sim_pace_away, SIM_SEEN_PASSED, 4, false, 3, 20000, SIM_EXPECT_BLOCKS | SIM_EXPECT_PRUNED},
	{"member_behind", "12", "they would wait for ever, but for how far it is behind",
	sim_pace_behind, SIM_SEEN_PASSED, 4, false, 3, 20000, SIM_EXPECT_BLOCKS | SIM_EXPECT_PRUNED},
	{"member_away_and_back", "3, 12", "members are away beyond the limit one after the other, and follow all the same when they are back",
	sim_pace_away_long, SIM_SEEN_PASSED, 4, false, 5, 12000, 0},
	{"pruned_after_idle_hour", "the first batch after an idle hour", "a member who owed nothing is waited for with pruning, however long it was silent (P18)",
	sim_pace_away_idle, SIM_SEEN_IDLE, 4, false, 5, 3000, SIM_EXPECT_BLOCKS},
	{"acks_wait", "5", "f members are silent, and ACKs wait for blocks that they do not propose (P22)",
	sim_pace_acks, SIM_SEEN_NULLIFIED, 7, false, 5, 30000, SIM_EXPECT_PACE},
	{"bodies_late", "7", "bodies take longer than the timer, and who acknowledges does not always vote; views are lost, and all meet in the end",
	sim_pace_late_bodies, SIM_SEEN_CAREFUL, 7, false, 10, 12000, 0},
	{"pruned_away", "12", "members are away one after the other, rows that they lack are dropped; they follow the logs across the gap and take the blocks (P20)",
	sim_pruned_away, SIM_SEEN_GAP, 4, false, 10, 12000, 0},
	{"pruned_liar", "12", "the same, while one of them says of any row that those before it are gone",
	sim_pruned_liar, SIM_SEEN_GAP_LIE, 4, false, 10, 12000, 0},
	{"pruned_crash", "1, 12", "crashes, and cores that are made anew on what is left of the logs",
	sim_pruned_crash, SIM_SEEN_SUMMED, 4, true, 10, 4000, 0},
	{"pruned_restore", "8, 12", "an old backup, while the others drop what it lacks",
	sim_pruned_restore, SIM_SEEN_GAP, 4, true, 10, 12000, 0},
	{"pruned_restore_and_crash", "1, 8, 12", "and crashes while its rows come back to it",
	sim_pruned_interrupted, SIM_SEEN_REJOIN, 3, true, 10, 12000, 0},
	{"pruned_votes_beyond", "1, 8, 12", "with little memory: own votes come back that lie beyond it, and wait for final blocks, "
		"after a crash as well (R5)",
	sim_pruned_beyond, SIM_SEEN_WAITED, 2, true, 20, 12000, SIM_EXPECT_ROOM},
	{"pruned_disk_lost", "8, 12", "everything of a member is gone, and most of the logs with it",
	sim_pruned_lost, SIM_SEEN_GAP, 4, true, 10, 8000, 0},
	{"pruned_join", "12, 16", "members join whom nobody can give the beginning of a log",
	sim_pruned_join, SIM_SEEN_GAP, 4, true, 10, 6000, 0},
	{"pruned_copy", "8, 12", "a copy of a server lives beside it, and rows are dropped",
	sim_pruned_copy, SIM_SEEN_DROPPED, 4, false, 10, 6000, 0},
	{"left_behind", "3", "a member is off for more views than it remembers (P9); it takes blocks from others (P17)",
	set_views, SIM_SEEN_CATCH_UP, 4, false, 10, 12000, 0},
	{"members_change", "16, 17", "three changes of members, keys and versions, two motions competing for each; the leader leaves as well",
	sim_change_members, SIM_SEEN_EPOCH, 4, true, 10, 4000, 0},
	{"members_join", "16", "new members copy the chain, and check each epoch's certificate",
	sim_change_members, SIM_SEEN_JOIN, 4, true, 10, 4000, 0},
	{"members_leave", "16", "members leave, up to a third at once, while everybody crashes",
	sim_change_and_crash, SIM_SEEN_LEAVE, 7, false, 5, 8000, 0},
	{"members_leader_leaves", "16, leave of the leader", "who proposed the change is no member afterwards",
	sim_change_members, SIM_SEEN_LEADER_LEFT, 4, false, 10, 4000, 0},
	{"members_third", "16, a third replaced at once", "two of seven members go, two others come",
	sim_change_third, SIM_SEEN_THIRD, 7, false, 5, 6000, 0},
	{"members_back_to_back", "16, two changes back to back", "the first block of an epoch ends it",
	sim_change_back_to_back, SIM_SEEN_BACK_TO_BACK, 4, true, 10, 4000, 0},
	{"members_at_every_view", "16, at every view", "approvals begin in view 1 of the first run, 2 of the second, and so on",
	sim_change_at_view, SIM_SEEN_EPOCH, 4, true, 16, 4000, 0},
	{"members_two_lanes", "a set change whose approvals complete in two lanes at once",
		"one more approval in another log, and the other motion were decided by the same block (R22)",
	sim_change_back_to_back, SIM_SEEN_RIVALS, 4, true, 20, 4000, 0},
	{"members_deploy", "16, and a contract", "a deployment and a change compete; what decides on the contract ends no epoch",
	sim_change_deploy, SIM_SEEN_DEPLOY, 4, true, 10, 4000, 0},
	{"members_header", "4, 16", "a liar's block bears a set that is not its epoch's, also as the first of an epoch (R24)",
	sim_change_header, SIM_SEEN_TWIST, 4, false, 10, 4000, 0},
	{"members_finalize_to_one", "5, 16", "one member alone learns that the epoch has ended (P11)",
	sim_change_one_finalize, SIM_SEEN_EPOCH, 4, false, 10, 4000, 0},
	{"members_wrong_key", "4, 16", "a liar approves with its row key, which is not that of its officers; that decides nothing (R25)",
	sim_change_wrong_key, SIM_SEEN_KEY, 4, false, 10, 4000, 0},
	{"members_old_key", "4, 16", "a thief has keys that others gave up, and signs rows in their logs; they convict nobody (R48), and nobody takes them (R49)",
	sim_change_old_key, SIM_SEEN_OLD_KEY, 4, false, 10, 6000, 0},
	{"members_versions", "17", "some know a version of the protocol that others do not; it begins when a quorum has approved, and who lacks it signs nothing (R26, R27)",
	sim_change_versions, SIM_SEEN_OUTDATED, 4, true, 10, 40000, 0},
	{"liars_beyond_f", "15", "f + 1 liars: where the ledger forks, enough are convicted",
	set_liars_beyond, SIM_SEEN_FORK, 4, false, 20, 3000, 0},
	{"twins_beyond_f", "15, 6", "f + 1 members run twice, on two sides: where the ledger forks, enough are convicted",
	set_twins_beyond, SIM_SEEN_FORK, 4, true, 20, 10000, 0},
	{"bodies_beyond_f", "15, 7", "f + 1 keep bodies from all, or from all but one; what is ordered everybody gets, and all meet at one tip",
	set_bodies_beyond, SIM_SEEN_LIE, 4, false, 10, 6000, SIM_EXPECT_TIP},
	{"votes_beyond_f", "15, 5", "f + 1 send few votes, to few; nothing forks",
	set_withheld_beyond, SIM_SEEN_LIE, 4, true, 5, 6000, 0},
	{"clocks_beyond_f", "15, 11", "f + 1 clocks are an hour off, or more: nothing is final until they are right, and then everything",
	set_clocks_beyond, SIM_SEEN_HALT, 4, true, 10, 3000, SIM_EXPECT_HALT},
	{"silent_beyond_f", "15", "f + 1 members are silent: nothing is final, nothing forks",
	set_silent_beyond, SIM_SEEN_HALT, 4, false, 5, 3000, 0},
	{"everything_at_once", "1 to 12", "loss, crashes, links, disks and clocks together",
	set_everything, SIM_SEEN_CRASH, 4, true, 10, 8000, 0},
	{"states_of_f", "14", "the states of f members differ; they are told, and go on voting (R43)",
	sim_server_diverged, SIM_SEEN_DIVERGED, 4, false, 5, 3000, SIM_EXPECT_BLOCKS},
	{"states_of_more_than_f", "f+1 members diverged in state",
		"no quorum agrees on a state; blocks become final all the same",
	sim_server_diverged_more, SIM_SEEN_STATE_SPLIT, 7, true, 5, 6000, SIM_EXPECT_BLOCKS},
	{"states_two_to_two", "a 2:2 split of state roots", "everybody is told; order goes on",
	sim_server_diverged_half, SIM_SEEN_STATE_SPLIT, 4, true, 5, 3000, SIM_EXPECT_BLOCKS},
	{"liar_of_states", "14", "a liar states something else to each; checkpoints become stable",
	sim_server_state_liar, SIM_SEEN_BLOCK, 4, false, 10, 3000, SIM_EXPECT_BLOCKS},
	{"two_copies", "8, clone", "twins: both live, and count as neither (R45)",
	set_twins, SIM_SEEN_DOUBLE, 4, false, 10, 4000, SIM_EXPECT_BLOCKS},
	{"disk_lost", "8, 10",
		"everything of a member is gone; it rejoins with what the others tell",
	sim_forget_all, SIM_SEEN_REJOIN, 4, true, 10, 6000, 0},
	{"restore", "8",
		"a database is restored to an older state, its wire is not",
	sim_forget_database, SIM_SEEN_REJOIN, 4, true, 10, 6000, 0},
	{"restore_with_wire", "8, 9",
		"and its wire with it: only the others can tell (R30)",
	sim_forget_both, SIM_SEEN_REJOIN, 4, true, 10, 6000, 0},
	{"same_backup_twice", "the same backup restored twice",
		"one backup, restored again and again",
	sim_forget_same_backup, SIM_SEEN_SAME_BACKUP, 4, true, 10, 30000, 0},
	{"rejoins_in_sequence", "two rejoins in sequence",
		"one member loses its memory, then another one",
	sim_forget_in_sequence, SIM_SEEN_SEQUENCE, 4, true, 10, 40000, 0},
	{"rejoin_under_load", "8",
		"a batch every few milliseconds meanwhile",
	sim_forget_under_load, SIM_SEEN_REJOIN, 4, true, 5, 40000, 0},
	{"rejoin_in_partition", "2, 8",
		"links are cut and come back meanwhile",
	sim_forget_in_partition, SIM_SEEN_REJOIN, 7, true, 10, 12000, 0},
	{"rejoin_beside_liar", "4, 8",
		"seven members, one liar, one that forgets",
	sim_forget_beside_liar, SIM_SEEN_REJOIN, 7, false, 10, 40000, 0},
	{"old_batch_after_rejoin", "a lane's old batch ordered after its owner's REJOIN",
		"older batches that a block orders before the first of the new number (R39)",
	sim_forget_old_batch, SIM_SEEN_LATE_BATCH, 4, true, 20, 20000, 0},
	{"rejoin_across_epoch", "8, rejoin across a final set change",
		"the members change while one of them asks; it asks anew in the next epoch (R38)",
	sim_change_and_rejoin, SIM_SEEN_REJOIN_LATER, 4, true, 20, 12000, 0},
	{"forgets_ahead", "8, rejoin at W + 2", "one votes in a view of which only it knows that it has begun, and loses its disk (R36)",
	sim_forget_ahead, SIM_SEEN_SCRIPT, 4, false, 10, 60000, 0},
	{"forgets_after_replier", "two rejoins in sequence",
		"beside a liar, two vote ahead of the others; the second to forget asks the first (R32)",
	sim_forget_replier, SIM_SEEN_SCRIPT, 4, false, 10, 60000, SIM_EXPECT_SAFETY},
	{"forgets_at_border", "8, rejoin across a final set change", "one alone knows that the epoch has ended, votes in the next one, and loses its disk (R38)",
	sim_forget_at_border, SIM_SEEN_SCRIPT, 4, false, 10, 60000, 0},
	{"forgets_before_rows_come", "8, lost disks", "its votes reach each of the others when he has said what he saw of it: too late (R34)",
	sim_forget_late, SIM_SEEN_SCRIPT, 4, true, 10, 60000, 0},
	{"forgets_beyond_f", "15, 8", "f + 1 lose their disks at once: nobody rejoins, nothing is final any more, nothing forks",
	sim_forget_many, SIM_SEEN_SCRIPT, 7, false, 5, 60000, SIM_EXPECT_SAFETY},
	{"forgets_beyond_f_unknown", "15, 8",
		"a quorum goes on from old backups while the others are cut off: the ledger forks, and enough are convicted",
	sim_forget_fork, SIM_SEEN_FORK, 7, false, 10, 60000, 0},
	{"votes_below_rejoin", "4, 8", "a liar rejoins and votes in a view that its REJOIN forbids; it is accused (R37)",
	sim_forget_below, SIM_SEEN_BELOW, 4, false, 10, 3000, SIM_EXPECT_BLOCKS},
	{"copy_lives", "8, clone",
		"a copy of a member's server begins to live beside it",
	sim_forget_copy, SIM_SEEN_COPY, 4, false, 10, 4000, 0},
	{"copied_twice", "8, clone twice", "two copies of a member's server live beside it, with one key",
	sim_forget_copied_twice, SIM_SEEN_COPIES, 4, false, 10, 6000, 0},
	{"copy_of_copy", "8, clone twice", "and the second is a copy of the first",
	sim_forget_copy_of_copy, SIM_SEEN_COPIES, 4, false, 10, 6000, 0},
	{"copies_across_epoch", "8, clone during epoch change", "the members change meanwhile, the one with the copies among them",
	sim_forget_copy_and_change, SIM_SEEN_COPIES, 4, false, 10, 8000, 0},
	{"size_5", "18", "five members, a liar", set_last_moment, SIM_SEEN_BLOCK, 5, false, 5, 3000, 0},
	{"size_6", "18", "six members, a liar", set_proposals, SIM_SEEN_BLOCK, 6, false, 5, 3000, 0},
	{"size_7", "18", "seven members, two twins", set_twins, SIM_SEEN_BLOCK, 7, false, 5, 20000, 0},
	{"size_10", "18", "ten members, loss, crashes, links, disks and clocks",
	set_everything, SIM_SEEN_CRASH, 10, false, 3, 6000, 0},
	{"size_30", "18", "thirty members, nine silent", set_silent, SIM_SEEN_BLOCK, 30, false, 1, 60000, 0},
	{"size_64", "18", "as many members as there can be", set_twice, SIM_SEEN_BLOCK, SIM_NODES_MAX, false, 1, 60000, 0},
};

const SimScenario *
sim_scenario_find(const char *name)
{
	for (unsigned i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
	{
		if (strcmp(scenarios[i].name, name) == 0)
			return &scenarios[i];
	}
	return NULL;
}

/* The first after NULL, NULL after the last. */
const SimScenario *
sim_scenario_next(const SimScenario *scenario)
{
	const SimScenario *next = (scenario == NULL) ? scenarios : scenario + 1;

	return (next < scenarios + sizeof(scenarios) / sizeof(scenarios[0])) ?
		next : NULL;
}

/* A calm world, and the fault of the scenario. */
void
sim_scenario_plan(SimWorld *world)
{
	SimPlan    *plan = &world->plan;
	unsigned	nodes = world->command_nodes;

	memset(plan, 0, sizeof(*plan));
	plan->nodes = (nodes > 0) ? nodes : world->scenario->nodes;
	plan->delay_us = (1 + (int64_t) sim_random(world, 5)) * SIM_MS;
	plan->jitter_us = 1 * SIM_MS;
	plan->commit_us = 1 * SIM_MS;
	plan->batch_every_us = (20 + (int64_t) sim_random(world, 100)) * SIM_MS;
	if (plan->nodes > 10)
		plan->batch_every_us *= plan->nodes;
	plan->view_count = (world->command_views > 0) ? world->command_views : 64;
	plan->lane_length = 16;
	plan->poll_us = 400 * SIM_MS;
	plan->twist = SIM_TWIST_ANY;
	plan->chunk_count = 1;
	plan->stream = true;
	plan->checkpoint_interval = 8;
	plan->diverges_at = 5;
	world->safety_only |= (world->scenario->expect & SIM_EXPECT_SAFETY) != 0;
	world->scenario->set_up(world);
}

static unsigned
faults(const SimWorld *world)
{
	unsigned	count = tl_consensus_faults(world->plan.nodes);

	return (count > 0) ? count : 1;
}

static void
set_crash(SimWorld *world)
{
	world->plan.commit_crash_percent = 10;
}

static void
set_crash_all(SimWorld *world)
{
	world->plan.crash_weight = 20;
}

static void
set_shape(SimWorld *world, SimShape shape)
{
	world->plan.shape = shape;
	world->plan.cut_weight = 4;
}

static void
set_split(SimWorld *world)
{
	set_shape(world, SIM_SHAPE_SPLIT);
}

static void
set_asymmetric(SimWorld *world)
{
	set_shape(world, SIM_SHAPE_ASYMMETRIC);
}

static void
set_edges(SimWorld *world)
{
	set_shape(world, SIM_SHAPE_EDGES);
}

static void
set_rotating(SimWorld *world)
{
	set_shape(world, SIM_SHAPE_ONE);
}

static void
set_bridge(SimWorld *world)
{
	set_shape(world, SIM_SHAPE_BRIDGE);
}

static void
set_swizzle(SimWorld *world)
{
	set_shape(world, SIM_SHAPE_SWIZZLE);
}

static void
set_jitter(SimWorld *world)
{
	world->plan.jitter_us = 30 * SIM_MS;
	world->plan.spike_percent = 20;
}

static void
set_reordering(SimWorld *world)
{
	world->plan.link_us = 300 * SIM_MS;
}

static void
set_twice(SimWorld *world)
{
	world->plan.twice_percent = 50;
}

static void
set_loss(SimWorld *world)
{
	world->plan.loss_percent = 25;
}

/* Looks at wires are rare here, so that hours fit into a run. */
static void
set_burst(SimWorld *world)
{
	world->plan.hold_weight = 1;
	world->plan.hold_us = 5 * SIM_HOUR_US;
	world->plan.poll_us = SIM_HOUR_US / 4;
	world->plan.batch_every_us = SIM_HOUR_US / 4;
}

static void
set_slow_links(SimWorld *world)
{
	world->plan.delay_us = 400 * SIM_MS;
	world->plan.jitter_us = 100 * SIM_MS;
	world->plan.timer_us = 50 * SIM_MS;
	world->plan.batch_every_us = 1000 * SIM_MS;
}

static void
set_lie(SimWorld *world, SimLie lie)
{
	world->plan.liars = faults(world);
	world->plan.lie = lie;
}

static void
set_twist(SimWorld *world, SimTwist twist)
{
	set_lie(world, SIM_LIE_PROPOSAL);
	world->plan.twist = twist;
	world->plan.to_all = true;
}

static void
set_proposals(SimWorld *world)
{
	set_twist(world, SIM_TWIST_TIME);
	world->plan.to_all = false;
}

static void
set_proposal_to_some(SimWorld *world)
{
	set_lie(world, SIM_LIE_SOME);
}

/* On links of unequal length his block is the first here and there. */
static void
set_turn(SimWorld *world)
{
	set_lie(world, SIM_LIE_TURN);
	world->plan.link_us = 40 * SIM_MS;
	world->plan.timer_us = 400 * SIM_MS;
}

static void
set_cut_back(SimWorld *world)
{
	set_twist(world, SIM_TWIST_CUT_BACK);
}

static void
set_cut_unknown(SimWorld *world)
{
	set_twist(world, SIM_TWIST_CUT_UNKNOWN);
}

static void
set_batch_root(SimWorld *world)
{
	set_twist(world, SIM_TWIST_BATCH_ROOT);
}

static void
set_stale_parent(SimWorld *world)
{
	set_twist(world, SIM_TWIST_GRANDPARENT);
}

static void
set_no_parent(SimWorld *world)
{
	set_twist(world, SIM_TWIST_NO_PARENT);
}

/* Views must have been nullified for there to be a gap. */
static void
set_no_gap(SimWorld *world)
{
	set_twist(world, SIM_TWIST_NO_GAP);
	world->plan.spike_percent = 10;
}

static void
set_forged(SimWorld *world)
{
	set_twist(world, SIM_TWIST_FORGED);
}

static void
set_short(SimWorld *world)
{
	set_twist(world, SIM_TWIST_SHORT);
}

static void
set_repeated(SimWorld *world)
{
	set_twist(world, SIM_TWIST_REPEATED);
}

static void
set_beside(SimWorld *world)
{
	set_twist(world, SIM_TWIST_BESIDE);
}

static void
set_header(SimWorld *world)
{
	static const SimTwist twists[] = {SIM_TWIST_HEIGHT, SIM_TWIST_MEMBERS,
	SIM_TWIST_CHECKPOINT, SIM_TWIST_HISTORY};

	set_twist(world, twists[sim_random(world, 4)]);
}

/* Batches of 10 MB: six fit into a block. */
static void
set_giant(SimWorld *world)
{
	set_twist(world, SIM_TWIST_GIANT);
	world->plan.chunk_count = 10;
	world->plan.batch_every_us = 20 * SIM_MS;
}

static void
set_future(SimWorld *world)
{
	set_twist(world, SIM_TWIST_FUTURE);
}

static void
set_past(SimWorld *world)
{
	set_idle_days(world);
	set_twist(world, SIM_TWIST_PAST);
}

static void
set_last_moment(SimWorld *world)
{
	set_lie(world, SIM_LIE_LATE);
}

static void
set_entry(SimWorld *world)
{
	static const SimTwist twists[] = {SIM_TWIST_ENTRY_AGAIN,
	SIM_TWIST_ENTRY_KIND, SIM_TWIST_ENTRY_UNKNOWN};

	set_twist(world, twists[sim_random(world, 3)]);
}

static void
set_withheld(SimWorld *world)
{
	set_lie(world, SIM_LIE_WITHHOLD);
}

static void
set_one_finalize(SimWorld *world)
{
	set_lie(world, SIM_LIE_ONE_FINALIZE);
	world->plan.spike_percent = 10;
}

static void
set_one_notarize(SimWorld *world)
{
	set_lie(world, SIM_LIE_ONE_NOTARIZE);
	world->plan.spike_percent = 20;
}

/* Batches are rare: whoever waits then waits for long. */
static void
set_but_one(SimWorld *world)
{
	set_lie(world, SIM_LIE_BUT_ONE);
	world->plan.spike_percent = 20;
	world->plan.batch_every_us = 2000 * SIM_MS;
}

static void
set_other_vote(SimWorld *world)
{
	set_lie(world, SIM_LIE_OTHER_VOTE);
}

static void
set_silent(SimWorld *world)
{
	world->plan.silent = faults(world);
}

/* Their timers would cost seconds. */
static void
set_dead_leaders(SimWorld *world)
{
	set_silent(world);
	world->plan.timer_us = 4000 * SIM_MS;
	world->plan.dead_us = 30 * SIM_MS;
}

static void
set_twins(SimWorld *world)
{
	world->plan.twins = faults(world);
}

static void
set_twins_split(SimWorld *world)
{
	world->plan.twins = faults(world);
	set_shape(world, SIM_SHAPE_SPLIT);
}

static void
set_flood(SimWorld *world)
{
	set_lie(world, SIM_LIE_FLOOD);
}

static void
set_number(SimWorld *world)
{
	set_lie(world, SIM_LIE_NUMBER);
}

static void
set_bodies(SimWorld *world)
{
	set_lie(world, SIM_LIE_BODIES);
}

static void
set_no_bodies(SimWorld *world)
{
	set_lie(world, SIM_LIE_NO_BODIES);
}

static void
set_accusations(SimWorld *world)
{
	set_lie(world, SIM_LIE_EVIDENCE);
}

static void
set_idle_hour(SimWorld *world)
{
	world->plan.batch_every_us = SIM_HOUR_US * world->plan.nodes;
	world->plan.poll_us = SIM_HOUR_US / 10;
}

static void
set_idle_days(SimWorld *world)
{
	world->plan.batch_every_us = 72 * SIM_HOUR_US * world->plan.nodes;
	world->plan.poll_us = 7 * SIM_HOUR_US;
}

static void
set_views(SimWorld *world)
{
	set_shape(world, SIM_SHAPE_ONE);
	world->plan.cut_weight = 1;
	world->plan.jitter_us = 20 * SIM_MS;
	world->plan.spike_percent = 10;
	world->plan.view_count = 12;
	world->plan.batch_every_us = 10 * SIM_MS;
}

static void
set_liars_beyond(SimWorld *world)
{
	set_lie(world, SIM_LIE_FORK);
	world->plan.liars++;
}

/* From the beginning each has half of the others, or links come and go. */
static void
set_twins_beyond(SimWorld *world)
{
	world->plan.twins = tl_consensus_faults(world->plan.nodes) + 1;
	world->plan.twins_apart = sim_chance(world, 50);
	if (!world->plan.twins_apart)
		set_shape(world, SIM_SHAPE_SPLIT);
}

static void
set_bodies_beyond(SimWorld *world)
{
	set_lie(world, sim_chance(world, 50) ? SIM_LIE_BODIES : SIM_LIE_NO_BODIES);
	world->plan.liars++;
}

static void
set_withheld_beyond(SimWorld *world)
{
	set_lie(world, SIM_LIE_WITHHOLD);
	world->plan.liars = tl_consensus_faults(world->plan.nodes) + 1;
}

static void
set_clocks_beyond(SimWorld *world)
{
	world->plan.wrong_clocks = tl_consensus_faults(world->plan.nodes) + 1;
}

static void
set_silent_beyond(SimWorld *world)
{
	world->plan.silent = faults(world) + 1;
}

static void
set_everything(SimWorld *world)
{
	SimPlan    *plan = &world->plan;

	plan->loss_percent = 10;
	plan->twice_percent = 10;
	plan->spike_percent = 5;
	plan->crash_weight = 2;
	plan->cut_weight = 2;
	plan->slot_weight = 2;
	plan->hold_weight = 2;
	plan->hold_us = 2000 * SIM_MS;
	plan->clock_weight = 2;
	plan->disk_weight = 1;
	plan->fail_percent = 2;
	plan->slow_percent = 2;
}
