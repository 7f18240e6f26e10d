/*
 * The best available action for an observation, by its index: obs has N_OBS values, action_mask N_ACTIONS, 0 for an
 * action that is not available; logits is null or has room for N_ACTIONS. They do not overlap.
 * OMIGA_STEP_OK, or OMIGA_STEP_NULL, _OBS_NOT_FINITE, _OBS_TOO_LARGE, _NO_ACTION_AVAILABLE, _ACTION_NOT_FINITE or
 * _ACTION_NOT_AVAILABLE: then action and logits are left as they were, and what the machine does is for the caller to
 * decide. Ranges of fields are not checked here.
 */
int @stem@_choose(const float *OMIGA_RESTRICT obs, const uint8_t *OMIGA_RESTRICT action_mask,
                  uint32_t *OMIGA_RESTRICT action, float *OMIGA_RESTRICT logits);
