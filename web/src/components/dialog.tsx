/** Dialogs on radix: focus is kept inside and given back. `Confirm` asks before anything that cannot be undone. */
import { X } from 'lucide-react';
import { AlertDialog, Dialog } from 'radix-ui';
import { useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Button, IconButton } from './button.tsx';

const SCRIM = 'fixed inset-0 z-40 bg-scrim';
const PANEL =
  'fixed inset-x-4 top-1/2 z-50 mx-auto max-h-[calc(100dvh-2rem)] max-w-md -translate-y-1/2 overflow-y-auto ' +
  'rounded-card border border-line bg-raised p-6 shadow-float';

interface ModalProps {
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly title: string;
  readonly lead?: string;
  readonly children: ReactNode;
}

/** Gives the focus back to what had it when the dialog opened; where that is gone, to the page's content. */
function useFocusReturn(): (event: Event) => void {
  const [opener] = useState(() => document.activeElement);
  return (event) => {
    event.preventDefault();
    const target = opener?.isConnected === true ? opener : document.querySelector('#content');
    if (target instanceof HTMLElement) target.focus();
  };
}

function ModalPanel({ title, lead, children }: Pick<ModalProps, 'title' | 'lead' | 'children'>) {
  const { t } = useTranslation();
  const giveFocusBack = useFocusReturn();
  return (
    <Dialog.Content
      className={PANEL}
      onCloseAutoFocus={giveFocusBack}
      {...(lead === undefined ? { 'aria-describedby': undefined } : {})}
    >
      <div className="flex items-start gap-3">
        <Dialog.Title className="flex-1 text-lg font-semibold">{title}</Dialog.Title>
        <Dialog.Close asChild>
          <IconButton label={t('app.close')} icon={X} className="-me-2 -mt-2" />
        </Dialog.Close>
      </div>
      {lead !== undefined && <Dialog.Description className="mt-1 text-sm text-muted">{lead}</Dialog.Description>}
      <div className="mt-5 flex flex-col gap-4">{children}</div>
    </Dialog.Content>
  );
}

export function Modal({ isOpen, onClose, ...panel }: ModalProps) {
  return (
    <Dialog.Root open={isOpen} onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className={SCRIM} />
        <ModalPanel {...panel} />
      </Dialog.Portal>
    </Dialog.Root>
  );
}

interface ConfirmProps {
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly onConfirm: () => void;
  readonly title: string;
  readonly body: string;
  readonly yes: string;
  readonly no: string;
}

function ConfirmPanel({ onConfirm, title, body, yes, no }: Omit<ConfirmProps, 'isOpen' | 'onClose'>) {
  const giveFocusBack = useFocusReturn();
  return (
    <AlertDialog.Content className={PANEL} onCloseAutoFocus={giveFocusBack}>
      <AlertDialog.Title className="text-lg font-semibold">{title}</AlertDialog.Title>
      <AlertDialog.Description className="mt-2 text-sm wrap-anywhere text-muted">{body}</AlertDialog.Description>
      <div className="mt-6 flex flex-wrap justify-end gap-3">
        <AlertDialog.Cancel asChild>
          <Button>{no}</Button>
        </AlertDialog.Cancel>
        <AlertDialog.Action asChild>
          <Button weight="danger" onClick={onConfirm}>
            {yes}
          </Button>
        </AlertDialog.Action>
      </div>
    </AlertDialog.Content>
  );
}

export function Confirm({ isOpen, onClose, ...panel }: ConfirmProps) {
  return (
    <AlertDialog.Root open={isOpen} onOpenChange={(open) => !open && onClose()}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className={SCRIM} />
        <ConfirmPanel {...panel} />
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
