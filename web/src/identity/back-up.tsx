/** Shows the private key for keeping it elsewhere; hidden until asked for, never sent anywhere. */
import { Eye, EyeOff } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { inBackground } from '../app/problems.ts';
import { Button } from '../components/button.tsx';
import { CopyField } from '../components/copy.tsx';
import { markBackedUp } from './store.ts';
import type { LocalIdentity } from './vault.ts';

function useSecretText(identity: LocalIdentity, isShown: boolean): string | undefined {
  const [text, setText] = useState<string>();
  useEffect(() => {
    if (!isShown) return;
    const encode = async (): Promise<void> => {
      const { encodeSecretKey } = await import('./keys.ts');
      setText(encodeSecretKey(identity.secretKey));
    };
    inBackground(encode());
  }, [identity, isShown]);
  return isShown ? text : undefined;
}

interface BackUpProps {
  readonly identity: LocalIdentity;
  readonly onDone: () => void;
}

export function BackUp({ identity, onDone }: BackUpProps) {
  const { t } = useTranslation();
  const [isShown, setShown] = useState(false);
  const secret = useSecretText(identity, isShown);
  const done = (): void => inBackground(markBackedUp().then(onDone));
  return (
    <>
      {secret !== undefined && <CopyField text={secret} what={t('backUp.secret')} testId="secret-key" />}
      <div className="flex flex-wrap gap-3">
        <Button icon={isShown ? EyeOff : Eye} aria-expanded={isShown} onClick={() => setShown(!isShown)}>
          {t(isShown ? 'backUp.hide' : 'backUp.show')}
        </Button>
        <Button weight="primary" onClick={done}>
          {t('backUp.done')}
        </Button>
      </div>
    </>
  );
}
