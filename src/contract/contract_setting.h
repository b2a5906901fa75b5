/*-------------------------------------------------------------------------
 *
 * contract_setting.h
 *	  Settings that are pinned around scripts and calls.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_SETTING_H
#define CONTRACT_SETTING_H

/* Name and value. */
typedef const char *const TlSetting[2];

/* Until the caller's level of settings ends. */
extern void tl_contract_setting_pin(const TlSetting *settings, size_t count);
extern void tl_contract_setting_path(const char *schema);

#endif							/* CONTRACT_SETTING_H */
