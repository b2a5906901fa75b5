/*-------------------------------------------------------------------------
 *
 * node_settings.h
 *	  The settings telco_ledger.*.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_SETTINGS_H
#define NODE_SETTINGS_H

typedef enum TlCommitWait
{
	TL_COMMIT_WAIT_OFF,
	TL_COMMIT_WAIT_FINAL
} TlCommitWait;

extern int	tl_setting_batch_delay_ms;
extern int	tl_setting_commit_wait;
extern int	tl_setting_commit_wait_timeout_ms;
extern char *tl_setting_key_directory;
extern int	tl_setting_keep_state_s;
extern int	tl_setting_order_views;
extern int	tl_setting_ack_wait_ms;
extern int	tl_setting_retain_time_s;
extern int	tl_setting_retain_blocks;
extern int	tl_setting_scrub_period_s;
extern bool tl_setting_show_state;

extern void tl_node_settings_init(void);

#endif							/* NODE_SETTINGS_H */
