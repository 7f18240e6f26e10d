int @stem@_choose(const float *OMIGA_RESTRICT obs, const uint8_t *OMIGA_RESTRICT action_mask,
                  uint32_t *OMIGA_RESTRICT action, float *OMIGA_RESTRICT logits)
{
    int status = OMIGA_STEP_NULL;
    if ((obs != NULL) && (action_mask != NULL) && (action != NULL)) {
        status = omiga_check_obs(obs, N_OBS);
    }
    if (status == OMIGA_STEP_OK) {
        status = omiga_check_mask(action_mask, N_ACTIONS);
    }
    if (status == OMIGA_STEP_OK) {
        float values[N_ACTIONS];
        forward(obs, values);
        status = omiga_choose(values, action_mask, N_ACTIONS, action);
        if ((status == OMIGA_STEP_OK) && (logits != NULL)) {
            omiga_copy(values, N_ACTIONS, logits);
        }
    }
    return status;
}
