/** The sign-in dialog, loaded when opened; a new key's back-up is offered before it closes. */
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Modal } from '../components/dialog.tsx';
import { BackUp } from './back-up.tsx';
import { SignInOptions } from './sign-in-options.tsx';
import { enterWith, useIdentity, type NewIdentity } from './store.ts';

export function SignInDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation();
  const [isEntered, setEntered] = useState(false);
  const identity = useIdentity((state) => state.identity);
  const enter = async (wanted: NewIdentity): Promise<void> => {
    await enterWith(wanted);
    if (wanted.from === 'new') setEntered(true);
    else onClose();
  };
  if (isEntered && identity?.kind === 'local') {
    return (
      <Modal isOpen onClose={onClose} title={t('backUp.title')} lead={t('backUp.lead')}>
        <BackUp identity={identity} onDone={onClose} />
      </Modal>
    );
  }
  return (
    <Modal isOpen onClose={onClose} title={t('signIn.title')} lead={t('signIn.lead')}>
      <SignInOptions onChoose={enter} />
    </Modal>
  );
}
